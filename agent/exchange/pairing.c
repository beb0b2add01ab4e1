#include "agent/exchange/pairing.h"

#include "agent/exchange/conversation.h"
#include "agent/exchange/http1.h"
#include "agent/exchange/matching.h"
#include "agent/exchange/plain.h"
#include "agent/exchange/probation.h"
#include "agent/exchange/protocol.h"
#include "agent/exchange/recognise.h"
#include "agent/exchange/roles.h"
#include "agent/exchange/tls_hello.h"

#include <stdlib.h>
#include <string.h>

/*
 * Finds out for each flow who is the client and whether it speaks HTTP/1.x, from its first bytes
 * and never from a port, and from then on hands its bytes to http1.c. A flow whose beginning was
 * missed is searched for a message start for as long as it lasts; one that began otherwise is
 * blind, and its bytes are only counted.
 */

/* How the memory is divided between waiting requests and the beginnings of heads. */
#define REQUESTS_SHARE 2
/* Beside the target: method, host, user agent, trace id. */
#define SIDE_TEXTS 1024

/* ---- events ---- */

void conversation_event(struct pairing *pairing, struct conversation *conversation,
                        enum connection_event_kind kind, uint64_t amount)
{
    if (amount > 0) {
        struct connection_event event = {
            .kind = kind, .amount = amount, .protocol = conversation->blind_name};
        pairing->sink.event(pairing->sink.context, &conversation->connection, &event);
    }
}

/* ---- what it speaks ---- */

static void open_connection(struct pairing *pairing, struct conversation *conversation)
{
    if (!conversation->opened) {
        conversation->opened = true;
        conversation_event(pairing, conversation, CONNECTION_OPENED, 1);
    }
}

/* What its first bytes are, and whom they name; they live as long as the call. */
struct first_bytes {
    const char *protocol; /* NULL: they end too early to tell */
    struct slice server_name;
};

static void become_blind(struct pairing *pairing, struct flow *flow,
                         const struct first_bytes *first, uint64_t bytes)
{
    struct conversation *conversation = conversation_of(flow);
    const char *name = first->protocol != NULL ? first->protocol : "unknown";
    struct connection_event event = {
        .kind = CONNECTION_BLIND, .amount = 1, .protocol = name, .server_name = first->server_name};
    roles_set(pairing, flow, roles_guess(pairing, flow));
    open_connection(pairing, conversation);
    conversation->protocol = CONVERSATION_BLIND;
    conversation->blind_name = name;
    pairing->sink.event(pairing->sink.context, &conversation->connection, &event);
    bytes += conversation->unplaced_bytes;
    for (unsigned role = 0; role < ROLES; role++) {
        struct speaker *speaker = &conversation->speakers[role];
        bytes += speaker->partial != NULL ? speaker->partial->length : 0;
        partial_drop(&pairing->partials, &speaker->partial);
    }
    conversation_event(pairing, conversation, CONNECTION_BLIND_BYTES, bytes);
    flow->unread = true;
}

static void become_http1(struct pairing *pairing, struct flow *flow, unsigned client_side,
                         bool in_step)
{
    struct conversation *conversation = conversation_of(flow);
    roles_set(pairing, flow, client_side);
    open_connection(pairing, conversation);
    conversation->protocol = CONVERSATION_HTTP1;
    for (unsigned side = 0; side < ROLES; side++) {
        conversation->speakers[role_of(conversation, side)].next_offset = flow->streams[side].next;
    }
    if (flow->streams[client_side].syn_seen || flow->streams[1 - client_side].syn_seen) {
        conversation->evidence.asked = flow->streams[client_side].start;
        conversation->evidence.answered = flow->streams[1 - client_side].start;
    }
    http1_begin(conversation, in_step);
    conversation_event(pairing, conversation, CONNECTION_MISSED, conversation->unplaced_bytes);
}

static void read_http1(struct pairing *pairing, struct flow *flow, unsigned side,
                       const struct stream_data *data)
{
    struct conversation *conversation = conversation_of(flow);
    uint64_t foreign = 0;
    const char *name =
        http1_data(pairing, conversation, role_of(conversation, side), data, &foreign);
    if (name != NULL) {
        conversation->unplaced_bytes = 0;
        become_blind(pairing, flow, &(struct first_bytes){.protocol = name}, foreign);
    }
}

/* The beginning was missed: any segment may be the first that starts a message, but a flow whose
 * first bytes are a TLS record is not searched any further. */
static void search(struct pairing *pairing, struct flow *flow, unsigned side,
                   const struct stream_data *data)
{
    struct conversation *conversation = conversation_of(flow);
    enum http_sniff found = recognise_start(data);
    unsigned client_side = found == HTTP_SNIFF_REQUEST ? side : 1 - side;
    bool fits = !conversation->roles_known || client_side == conversation->client_side;
    if ((found == HTTP_SNIFF_REQUEST || found == HTTP_SNIFF_RESPONSE) && fits) {
        become_http1(pairing, flow, client_side, false);
        read_http1(pairing, flow, side, data);
    } else if (conversation->unplaced_bytes == 0 && tls_is_record(data->bytes, data->length)) {
        struct first_bytes first = {.protocol = "tls"};
        tls_hello_name(data->bytes, data->length, &first.server_name);
        become_blind(pairing, flow, &first, data->length);
    } else {
        conversation->unplaced_bytes += data->length;
    }
}

/* Bytes that do not tell yet wait as the beginning of a head. Returns how many there was room for.
 */
static size_t keep_undecided(struct pairing *pairing, struct speaker *speaker,
                             const struct stream_data *data)
{
    bool fresh = speaker->partial == NULL;
    size_t kept = partial_append(&pairing->partials, &speaker->partial, data->bytes, data->length);
    if (fresh && kept > 0) {
        speaker->partial->offset = data->offset;
        speaker->partial->peer_offset = data->peer_offset;
        speaker->partial->time_ns = data->time_ns;
    }
    return kept;
}

/* What bytes that are no HTTP/1.x are. With `all` they are not waited for any longer. */
static struct first_bytes name_first_bytes(enum http_sniff sniff, const char *bytes, size_t length,
                                           bool all)
{
    struct first_bytes first = {.protocol = "http09"};
    if (sniff != HTTP_SNIFF_HTTP09) {
        first.protocol = protocol_name(bytes, length);
    }
    /* a client hello may take more than one segment */
    if (tls_hello_name(bytes, length, &first.server_name) == TLS_HELLO_INCOMPLETE && !all) {
        first.protocol = NULL;
    }
    return first;
}

/* The first bytes of a connection whose handshake was seen. */
static void decide(struct pairing *pairing, struct flow *flow, unsigned side,
                   const struct stream_data *data)
{
    struct conversation *conversation = conversation_of(flow);
    struct speaker *speaker = &conversation->speakers[role_of(conversation, side)];
    const char *bytes = data->bytes;
    size_t length = data->length;
    size_t kept = 0;
    if (speaker->partial != NULL) {
        kept = keep_undecided(pairing, speaker, data);
        bytes = speaker->partial->bytes;
        length = speaker->partial->length;
    }
    enum http_sniff sniff = http_sniff(bytes, length);
    bool client = side == conversation->client_side;
    if (sniff == (client ? HTTP_SNIFF_REQUEST : HTTP_SNIFF_RESPONSE)) {
        become_http1(pairing, flow, conversation->client_side, true);
        if (speaker->partial != NULL) { /* the parser puts them together itself */
            speaker->partial->length -= kept;
        }
        read_http1(pairing, flow, side, data);
        return;
    }
    struct first_bytes first = {0};
    if (sniff != HTTP_SNIFF_UNDECIDED) {
        first = name_first_bytes(sniff, bytes, length, !client);
    }
    if (first.protocol == NULL && speaker->partial == NULL) {
        kept = keep_undecided(pairing, speaker, data);
    }
    if (first.protocol == NULL && kept < data->length && sniff != HTTP_SNIFF_UNDECIDED) {
        first = name_first_bytes(sniff, bytes, length, true);
    }
    if (first.protocol != NULL || kept < data->length) {
        become_blind(pairing, flow, &first, data->length - kept);
    }
}

/* Nothing more comes, or not soon. A connection may open and close without a byte; else it was not
 * HTTP. */
static void close_undecided(struct pairing *pairing, struct flow *flow)
{
    const struct conversation *conversation = conversation_of(flow);
    const struct partial *client = conversation->speakers[ROLE_CLIENT].partial;
    struct first_bytes first = {0};
    if (client != NULL) {
        first = name_first_bytes(HTTP_SNIFF_OTHER, client->bytes, client->length, true);
    }
    if (client != NULL || conversation->speakers[ROLE_SERVER].partial != NULL ||
        conversation->unplaced_bytes > 0) {
        become_blind(pairing, flow, &first, 0);
    }
}

/* A client hello whose rest is missing. */
static bool starts_like_tls(const struct conversation *conversation)
{
    const struct partial *client = conversation->speakers[ROLE_CLIENT].partial;
    return conversation->protocol == CONVERSATION_UNDECIDED && client != NULL &&
           tls_is_record(client->bytes, client->length);
}

/* ---- what TCP reports ---- */

static bool starts_seen(const struct flow *flow)
{
    return flow->syn_ns != 0 || flow->syn_ack_ns != 0;
}

/* The first thing that is heard of the flow's content. */
static void begin(struct pairing *pairing, struct flow *flow)
{
    struct conversation *conversation = conversation_of(flow);
    conversation->begun = true;
    conversation->first_finished = ROLES;
    if (flow->syn_ack_ns == 0 || flow->syn_ns == 0) {
        conversation->connect_server_ns = EXCHANGE_TIME_UNKNOWN;
    }
    if (!flow->established) {
        conversation->connect_client_ns = EXCHANGE_TIME_UNKNOWN;
    }
    conversation->protocol = CONVERSATION_SEARCHING;
    conversation->missing_reason = EXCHANGE_REASON_MIDSTREAM;
    if (starts_seen(flow)) {
        conversation->protocol = CONVERSATION_UNDECIDED;
        conversation->missing_reason = EXCHANGE_REASON_NONE;
        roles_set(pairing, flow, flow->syn_side);
    }
}

static void on_data(void *context, struct flow *flow, unsigned side, const struct stream_data *data)
{
    struct pairing *pairing = context;
    struct conversation *conversation = conversation_of(flow);
    if (!conversation->begun) {
        begin(context, flow);
    }
    pairing->now_ns = data->time_ns;
    conversation->untimed = flow->untimed;
    switch (conversation->protocol) {
    case CONVERSATION_HTTP1:
        read_http1(context, flow, side, data);
        if (data->length > PLAIN_PACKET_MIN || conversation->plain_told) {
            plain_heard(context, flow, side, false);
        }
        break;
    case CONVERSATION_UNDECIDED:
        decide(context, flow, side, data);
        break;
    case CONVERSATION_SEARCHING:
        search(context, flow, side, data);
        break;
    case CONVERSATION_BLIND:
        conversation_event(context, conversation, CONNECTION_BLIND_BYTES, data->length);
        break;
    }
}

static void on_gap(void *context, struct flow *flow, unsigned side, uint64_t length,
                   int64_t time_ns)
{
    struct pairing *pairing = context;
    struct conversation *conversation = conversation_of(flow);
    if (!conversation->begun) {
        begin(pairing, flow);
    }
    if (conversation->protocol == CONVERSATION_HTTP1) {
        enum conversation_role role = role_of(conversation, side);
        bool was_lost = conversation->speakers[role].lost;
        http1_gap(pairing, conversation, role, length, time_ns);
        conversation->speakers[role].plain.starved |= time_ns == TCP_TIME_UNKNOWN;
        bool lost_now = !was_lost && conversation->speakers[role].lost;
        plain_heard(pairing, flow, side, lost_now && time_ns != TCP_TIME_UNKNOWN);
        return;
    }
    if (starts_like_tls(conversation)) {
        close_undecided(pairing, flow);
        conversation_event(pairing, conversation, CONNECTION_BLIND_BYTES, length);
        return;
    }
    /* A gap in the first head: from now on the flow is as good as met midstream. */
    conversation->unplaced_bytes += length;
    conversation->protocol = CONVERSATION_SEARCHING;
    conversation->missing_reason = EXCHANGE_REASON_GAP;
    for (unsigned role = 0; role < ROLES; role++) {
        struct speaker *speaker = &conversation->speakers[role];
        conversation->unplaced_bytes += speaker->partial != NULL ? speaker->partial->length : 0;
        partial_drop(&pairing->partials, &speaker->partial);
    }
}

static void on_finished(void *context, struct flow *flow, unsigned side, int64_t time_ns)
{
    (void)time_ns;
    struct conversation *conversation = conversation_of(flow);
    if (!conversation->begun && starts_seen(flow)) {
        begin(context, flow);
    }
    if (!conversation->begun || !conversation->roles_known) {
        return;
    }
    enum conversation_role role = role_of(conversation, side);
    if (conversation->first_finished == ROLES) {
        conversation->first_finished = role;
    }
    if (conversation->protocol == CONVERSATION_HTTP1) {
        http1_finish(context, conversation, role);
    }
}

/* A SYN that got no answer, or a RST for one. */
static bool connect_failed(const struct flow *flow, enum flow_end end)
{
    bool unanswered = flow->syn_ns != 0 && flow->syn_ack_ns == 0 &&
                      !flow->streams[0].payload_seen && !flow->streams[1].payload_seen;
    return unanswered && (end == FLOW_END_RESET || end == FLOW_END_IDLE);
}

/* How the connection ended: what was waited for until now may have been its end. */
static enum flow_end end_of(const struct flow *flow, enum flow_end end, unsigned *side)
{
    if (end == FLOW_END_FIN || end == FLOW_END_RESET) {
        return end;
    }
    if (flow->streams[0].ended && flow->streams[1].ended) {
        return FLOW_END_FIN;
    }
    *side = flow->reset ? flow->reset_side : *side;
    return flow->reset ? FLOW_END_RESET : end;
}

static void on_closed(void *context, struct flow *flow, enum flow_end end, unsigned side,
                      int64_t time_ns)
{
    (void)time_ns;
    struct pairing *pairing = context;
    struct conversation *conversation = conversation_of(flow);
    end = end_of(flow, end, &side);
    plain_closed(pairing, flow);
    if (connect_failed(flow, end)) {
        roles_set(pairing, flow, flow->syn_side);
        conversation_event(pairing, conversation, CONNECTION_FAILED, 1);
    }
    if (conversation->protocol == CONVERSATION_HTTP1) {
        matching_closed(pairing, conversation, end, role_of(conversation, side));
        http1_drop(pairing, conversation);
    } else if (conversation->protocol != CONVERSATION_BLIND) {
        close_undecided(pairing, flow);
    }
    if (conversation->roles_known) {
        conversation_event(pairing, conversation, CONNECTION_CLOSED, 1);
    }
}

static void on_answered(void *context, struct flow *flow, unsigned client_side, int64_t time_ns)
{
    struct conversation *conversation = conversation_of(flow);
    roles_set(context, flow, client_side);
    conversation->connect_server_ns = EXCHANGE_TIME_UNKNOWN;
    if (!flow->untimed && flow->syn_ns != 0 && time_ns >= flow->syn_ns) {
        conversation->connect_server_ns = time_ns - flow->syn_ns;
    }
}

static void on_established(void *context, struct flow *flow, unsigned client_side, int64_t time_ns)
{
    struct conversation *conversation = conversation_of(flow);
    roles_set(context, flow, client_side);
    open_connection(context, conversation);
    conversation->connect_client_ns = EXCHANGE_TIME_UNKNOWN;
    if (!flow->untimed && time_ns >= flow->syn_ack_ns) {
        conversation->connect_client_ns = time_ns - flow->syn_ack_ns;
        conversation_event(context, conversation, CONNECTION_CONNECT_CLIENT_NS,
                           (uint64_t)conversation->connect_client_ns);
    }
    if (conversation->connect_server_ns != EXCHANGE_TIME_UNKNOWN) {
        conversation_event(context, conversation, CONNECTION_CONNECT_SERVER_NS,
                           (uint64_t)conversation->connect_server_ns);
    }
}

/* Counters that need a name: nothing is counted before it is known who is the server. */
static void on_retransmitted(void *context, struct flow *flow, unsigned side, uint32_t bytes)
{
    (void)side;
    struct conversation *conversation = conversation_of(flow);
    if (conversation->roles_known) {
        conversation_event(context, conversation, CONNECTION_RETRANSMITTED, bytes);
    }
}

static void on_conflicting(void *context, struct flow *flow, unsigned side, uint32_t bytes)
{
    (void)side;
    struct conversation *conversation = conversation_of(flow);
    if (conversation->roles_known) {
        conversation_event(context, conversation, CONNECTION_CONFLICTING, bytes);
    }
}

static void on_unread(void *context, struct flow *flow, uint64_t bytes)
{
    conversation_event(context, conversation_of(flow), CONNECTION_BLIND_BYTES, bytes);
    plain_unread(context, flow, bytes);
}

/* ---- life ---- */

struct pairing *pairing_new(const struct pairing_options *options, const struct exchange_sink *sink)
{
    struct pairing *pairing = calloc(1, sizeof(*pairing));
    if (pairing == NULL) {
        return NULL;
    }
    pairing->sink = *sink;
    pairing->routes.patterns = options->routes;
    pairing->default_side = options->side;
    pairing->plain = options->plain;
    pairing->plain_context = options->plain_context;
    pairing->max_target_bytes = options->max_target_bytes;
    pairing->server_ports = calloc(options->server_port_count + 1, sizeof(uint16_t));
    uint64_t requests = options->memory_bytes / REQUESTS_SHARE;
    if (pairing->server_ports == NULL ||
        request_store_init(&pairing->requests, requests, options->max_target_bytes + SIDE_TEXTS) !=
            0 ||
        partial_store_init(&pairing->partials, options->memory_bytes - requests,
                           options->max_head_bytes) != 0) {
        pairing_free(pairing);
        return NULL;
    }
    pairing->server_port_count = options->server_port_count;
    if (options->server_port_count > 0) {
        memcpy(pairing->server_ports, options->server_ports,
               options->server_port_count * sizeof(uint16_t));
    }
    return pairing;
}

void pairing_free(struct pairing *pairing)
{
    if (pairing != NULL) {
        request_store_fini(&pairing->requests);
        partial_store_fini(&pairing->partials);
        free(pairing->server_ports);
        free(pairing);
    }
}

struct tcp_handler pairing_tcp_handler(struct pairing *pairing)
{
    return (struct tcp_handler){.context = pairing,
                                .data = on_data,
                                .gap = on_gap,
                                .finished = on_finished,
                                .closed = on_closed,
                                .answered = on_answered,
                                .established = on_established,
                                .retransmitted = on_retransmitted,
                                .conflicting = on_conflicting,
                                .unread = on_unread};
}

size_t pairing_flow_size(void)
{
    return sizeof(struct conversation);
}

void pairing_tick(struct pairing *pairing, int64_t now_ns)
{
    probation_expire(pairing, now_ns);
}

struct pairing_counters pairing_counters(const struct pairing *pairing)
{
    return (struct pairing_counters){.requests_refused = pairing->requests.requests.refused,
                                     .heads_refused = pairing->partials.small.refused +
                                                      pairing->partials.large.refused};
}
