#include "tests/support/conversation.h"

#include "tests/support/conversation_text.h"
#include "tests/support/observer.h"
#include "tests/support/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUTS_MAX 16
#define PORTS_MAX 4
#define CROWD_FIRST 500

/* ---- the player ---- */

struct player {
    const struct conversation_variation *variation;
    struct observer *observer;
    struct observer_options options;
    uint16_t server_ports[PORTS_MAX];
    struct wire wire;
    size_t delivered; /* packets of the wire */
    struct wire_packet late;
    bool has_late;
    bool started;
    unsigned crowd;
    size_t cuts[CUTS_MAX];
    size_t cut_count;
    int64_t epoch_ns;
};

/* What stood before the bytes of a line. */
struct manner {
    bool lost;
    bool twice;
    bool late;
    bool flying;
};

static void deliver(struct player *player, const struct wire_packet *packet, bool twice)
{
    wire_deliver(&player->wire, packet, player->observer->tcp);
    if (twice || player->variation->twice) {
        wire_deliver(&player->wire, packet, player->observer->tcp);
    }
}

/* Gives what was sent since the last call to TCP, as the manner says. */
static void flush(struct player *player, const struct manner *manner)
{
    for (; player->delivered < player->wire.count; player->delivered++) {
        const struct wire_packet *packet = &player->wire.packets[player->delivered];
        if (manner->lost) {
            continue;
        }
        if (manner->late) {
            player->late = *packet;
            player->has_late = true;
            continue;
        }
        deliver(player, packet, manner->twice);
        if (player->has_late) {
            player->has_late = false;
            deliver(player, &player->late, false);
        }
    }
}

static void open_connection(struct player *player, const char *captured)
{
    size_t first = player->wire.count;
    player->started = true;
    wire_open(&player->wire);
    bool all = text_is_line(captured, "all");
    bool wanted[] = {all || strstr(captured, "syn") != NULL,
                     all || strstr(captured, "answer") != NULL,
                     all || strstr(captured, "ack") != NULL};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (wanted[i]) {
            deliver(player, &player->wire.packets[first + i], false);
        }
    }
    player->delivered = player->wire.count;
}

/* ---- bytes ---- */

static void send_bytes(struct player *player, enum wire_end_name from,
                       const struct text_bytes *bytes, const struct manner *manner)
{
    size_t at = 0;
    size_t cut = 0;
    player->wire.in_flight = manner->flying;
    while (at < bytes->length) {
        size_t part = bytes->length - at;
        if (player->cut_count > 0) {
            size_t size = player->cuts[cut];
            part = size < part ? size : part;
            cut += cut + 1 < player->cut_count;
        }
        wire_send(&player->wire, from, bytes->data + at, part);
        at += part;
    }
    player->wire.in_flight = false;
    player->cut_count = 0;
    flush(player, manner);
}

/* ---- directives ---- */

static char *take_word(char **line)
{
    char *word = strsep(line, " ");
    if (*line == NULL) {
        *line = word + strlen(word);
    }
    return word;
}

static enum wire_end_name end_of(const char *name)
{
    if (!text_is_line(name, "client") && !text_is_line(name, "server")) {
        text_fail("neither client nor server: %s", name);
    }
    return text_is_line(name, "client") ? WIRE_CLIENT : WIRE_SERVER;
}

static void read_cuts(struct player *player, const char *text)
{
    player->cut_count = 0;
    while (player->cut_count < CUTS_MAX) {
        char *end = NULL;
        player->cuts[player->cut_count++] = text_number_of(text, &end);
        if (*end != ',') {
            return;
        }
        text = end + 1;
    }
}

/* Of the end's first byte; before the handshake. */
static void set_sequence(struct player *player, char *argument)
{
    char *end = NULL;
    enum wire_end_name from = end_of(take_word(&argument));
    uint32_t sequence = (uint32_t)text_number_of(argument, &end);
    player->wire.ends[from].sequence = sequence;
    player->wire.ends[1 - from].arrived = sequence;
    player->wire.ends[1 - from].received = sequence;
}

/* A packet is captured once more; 1: the latest. */
static void repeat_packet(struct player *player, uint64_t ago)
{
    if (ago == 0 || ago > player->delivered) {
        text_fail("no such packet");
    }
    deliver(player, &player->wire.packets[player->delivered - ago], false);
}

/* Each of the others sends a byte, so that the flow table fills. */
static void make_crowd(struct player *player, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct wire other;
        wire_init(&other, CROWD_FIRST + player->crowd++);
        other.now_ns = player->wire.now_ns;
        wire_send(&other, WIRE_CLIENT, "x", 1);
        wire_deliver(&other, other.packets, player->observer->tcp);
        wire_fini(&other);
    }
}

static void reuse_ports(struct player *player)
{
    for (unsigned end = 0; end < WIRE_ENDS; end++) {
        player->wire.ends[end].sequence += 0x10000000U;
        player->wire.ends[1 - end].arrived = player->wire.ends[end].sequence;
    }
    wire_land(&player->wire);
    open_connection(player, "all");
}

static bool do_packet(struct player *player, const char *word, const char *argument,
                      const struct manner *manner)
{
    uint8_t flags = 0;
    if (text_is_line(word, "close")) {
        wire_close(&player->wire, end_of(argument));
        flush(player, manner);
        return true;
    }
    if (text_is_line(word, "fin")) {
        flags = TCP_FIN;
    } else if (text_is_line(word, "reset")) {
        flags = TCP_RST;
    } else if (!text_is_line(word, "ack")) {
        return false;
    }
    wire_packet(&player->wire, end_of(argument), flags, NULL, 0);
    flush(player, manner);
    return true;
}

static bool do_circumstance(struct player *player, const char *word, char *argument)
{
    char *end = NULL;
    if (text_is_line(word, "handshake")) {
        open_connection(player, argument);
    } else if (text_is_line(word, "cut")) {
        read_cuts(player, argument);
    } else if (text_is_line(word, "sequence")) {
        set_sequence(player, argument);
    } else if (text_is_line(word, "again")) {
        repeat_packet(player, text_number_of(argument, &end));
    } else if (text_is_line(word, "land")) {
        wire_land(&player->wire);
    } else if (text_is_line(word, "time")) {
        player->wire.now_ns = player->epoch_ns + text_duration_of(argument);
    } else if (text_is_line(word, "tick")) {
        player->wire.now_ns = player->epoch_ns + text_duration_of(argument);
        tcp_tick(player->observer->tcp, player->wire.now_ns);
    } else if (text_is_line(word, "snap")) {
        uint64_t snap = text_number_of(argument, &end);
        player->wire.snap = snap == 0 ? UINT32_MAX : (uint32_t)snap;
    } else if (text_is_line(word, "interface")) {
        tcp_interface_gone(player->observer->tcp, player->wire.interface);
    } else if (text_is_line(word, "crowd")) {
        make_crowd(player, text_number_of(argument, &end));
    } else if (text_is_line(word, "reuse")) {
        reuse_ports(player);
    } else {
        return false;
    }
    return true;
}

static bool do_show(struct observer_options *options, const char *what)
{
    options->show_times = options->show_times || text_is_line(what, "times");
    options->show_hosts = options->show_hosts || text_is_line(what, "hosts");
    options->show_events = options->show_events || text_is_line(what, "events");
    return true;
}

static bool do_setting(struct player *player, const char *word, const char *argument)
{
    struct observer_options *options = &player->options;
    char *end = NULL;
    if (text_is_line(word, "show")) {
        return do_show(options, argument);
    }
    if (text_is_line(word, "idle")) {
        options->idle_ns = text_duration_of(argument);
    } else if (text_is_line(word, "max-head")) {
        options->max_head_bytes = text_number_of(argument, &end);
    } else if (text_is_line(word, "max-target")) {
        options->max_target_bytes = text_number_of(argument, &end);
    } else if (text_is_line(word, "memory")) {
        options->memory_bytes = text_number_of(argument, &end);
    } else if (text_is_line(word, "held")) {
        options->max_held_bytes = text_number_of(argument, &end);
    } else if (text_is_line(word, "flows")) {
        options->max_flows = (uint32_t)text_number_of(argument, &end);
    } else if (text_is_line(word, "reorder")) {
        options->reorder_packets = (uint32_t)text_number_of(argument, &end);
    } else if (text_is_line(word, "server-port") && options->server_port_count < PORTS_MAX) {
        player->server_ports[options->server_port_count++] =
            (uint16_t)text_number_of(argument, &end);
    } else {
        return false;
    }
    return true;
}

static void start(struct player *player)
{
    if (player->observer->tcp == NULL) {
        player->options.epoch_ns = player->epoch_ns;
        player->options.server_ports = player->server_ports;
        observer_init(player->observer, &player->options);
    }
}

static struct manner take_manner(char **line)
{
    struct manner manner = {0};
    for (;;) {
        char *before = *line;
        size_t length = strcspn(before, " ");
        bool found = before[length] == ' ';
        if (found && strncmp(before, "lost ", length + 1) == 0) {
            manner.lost = true;
        } else if (found && strncmp(before, "twice ", length + 1) == 0) {
            manner.twice = true;
        } else if (found && strncmp(before, "late ", length + 1) == 0) {
            manner.late = true;
        } else if (found && strncmp(before, "flying ", length + 1) == 0) {
            manner.flying = true;
        } else {
            return manner;
        }
        *line = before + length + 1;
    }
}

/* A line and those that are indented behind it. */
static void play_line(struct player *player, char *line, char **rest)
{
    struct manner manner = take_manner(&line);
    char *word = take_word(&line);
    if (do_setting(player, word, line)) {
        return;
    }
    start(player);
    bool before = text_is_line(word, "handshake") || text_is_line(word, "time") ||
                  text_is_line(word, "sequence");
    if (!player->started && !before) {
        open_connection(player, "all");
    }
    if (text_is_line(word, ">>>") || text_is_line(word, "<<<")) {
        struct text_bytes bytes = {0};
        char *next = NULL;
        text_bytes_add(&bytes, line);
        while (**rest == ' ' && text_take_line(rest, &next)) {
            text_bytes_add(&bytes, next + strspn(next, " "));
        }
        send_bytes(player, word[0] == '>' ? WIRE_CLIENT : WIRE_SERVER, &bytes, &manner);
        free(bytes.data);
    } else if (!do_packet(player, word, line, &manner) && !do_circumstance(player, word, line)) {
        text_fail("no such line: %s %s", word, line);
    }
}

static char *finish(struct player *player)
{
    struct observer *observer = player->observer;
    char *text = NULL;
    start(player);
    tcp_finish(observer->tcp);
    observer_summarize(observer);
    const char *leak = observer_leak(observer);
    if (asprintf(&text, "%s%s%s%s", observer->text, leak == NULL ? "" : "leak: ",
                 leak == NULL ? "" : leak, leak == NULL ? "" : "\n") < 0) {
        abort();
    }
    observer_fini(observer);
    return text;
}

char *conversation_play(const struct conversation_case *one,
                        const struct conversation_variation *variation)
{
    struct player *player = calloc(1, sizeof(*player));
    char *script = strdup(one->script == NULL ? "" : one->script);
    if (player == NULL || script == NULL) {
        abort();
    }
    player->variation = variation;
    player->observer = calloc(1, sizeof(*player->observer));
    wire_init(&player->wire, 0);
    player->epoch_ns = player->wire.now_ns;
    player->wire.mss = variation->mss != 0 ? variation->mss : UINT32_MAX;
    char *rest = script;
    char *line = NULL;
    while (text_take_line(&rest, &line)) {
        play_line(player, line, &rest);
    }
    char *text = finish(player);
    wire_fini(&player->wire);
    free(player->observer);
    free(script);
    free(player);
    return text;
}
