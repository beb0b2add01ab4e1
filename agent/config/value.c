#include "agent/config/value.h"

#include "agent/config/config.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Quoted values are cut to this in messages. */
#define QUOTE_SIZE 72

struct unit {
    const char *name;
    uint64_t factor;
};

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static const struct unit size_units[] = {
    {"", 1}, {"KiB", KIB}, {"Ki", KIB}, {"MiB", MIB}, {"Mi", MIB}, {"GiB", GIB}, {"Gi", GIB}, {0},
};
static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {0},
};
static const struct unit no_unit[] = {{"", 1}, {0}};

struct kind {
    const char *noun;         /* NULL: its choices */
    bool quoted;              /* may stand in quotes */
    const struct unit *units; /* numbers */
    bool (*read)(const struct schema_key *key, const char *text, void *field, char *problem);
};

static bool read_text(const struct schema_key *key, const char *text, void *field, char *problem);
static bool read_number(const struct schema_key *key, const char *text, void *field, char *problem);
static bool read_real(const struct schema_key *key, const char *text, void *field, char *problem);
static bool read_choice(const struct schema_key *key, const char *text, void *field, char *problem);
static bool read_cidr(const struct schema_key *key, const char *text, void *field, char *problem);

static const struct kind kinds[SCHEMA_KIND_COUNT] = {
    [SCHEMA_TEXT] = {"text", true, NULL, read_text},
    [SCHEMA_BYTES] = {"a size such as 32MiB", true, size_units, read_number},
    [SCHEMA_SECONDS] = {"a duration such as 30s", true, time_units, read_number},
    [SCHEMA_MILLIS] = {"a duration such as 100ms", true, time_units, read_number},
    [SCHEMA_COUNT] = {"a whole number", false, no_unit, read_number},
    [SCHEMA_PORT] = {"a port number", false, no_unit, read_number},
    [SCHEMA_REAL] = {"a number", false, NULL, read_real},
    [SCHEMA_CHOICE] = {NULL, true, NULL, read_choice},
    [SCHEMA_BOOL] = {NULL, false, NULL, read_choice},
    [SCHEMA_CHOICE_TEXT] = {NULL, true, NULL, read_choice},
    [SCHEMA_CIDR] = {"an address or a range such as 10.0.0.0/24", true, NULL, read_cidr},
    [SCHEMA_SECTION] = {"a mapping", false, NULL, NULL},
};

/* "auto|node|pod" as "auto, node or pod". */
static void join_choices(const char *choices, char *out, size_t size)
{
    size_t used = 0;
    for (const char *at = choices; used < size;) {
        size_t length = strcspn(at, "|");
        const char *rest = at + length;
        bool last = *rest == '\0';
        const char *between = last ? "" : strchr(rest + 1, '|') != NULL ? ", " : " or ";
        used += (size_t)snprintf(out + used, size - used, "%.*s%s", (int)length, at, between);
        if (last) {
            return;
        }
        at = rest + 1;
    }
}

void value_noun(const struct schema_key *key, char *noun_out, size_t size)
{
    if (key->choices != NULL) {
        join_choices(key->choices, noun_out, size);
    } else {
        snprintf(noun_out, size, "%s", kinds[key->kind].noun);
    }
}

void value_quote(const char *text, size_t length, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < length; i++) {
        char byte[5];
        bool plain = text[i] >= ' ' && text[i] <= '~';
        int width = snprintf(byte, sizeof(byte), plain ? "%c" : "\\x%02x", (unsigned char)text[i]);
        if (at + (size_t)width + sizeof("...") > size) {
            memcpy(out + at, "...", sizeof("..."));
            return;
        }
        memcpy(out + at, byte, (size_t)width);
        at += (size_t)width;
    }
    out[at] = '\0';
}

/* `what` comes after the quoted text: "\"32MB\" is not a size such as 32MiB". */
static bool reject(const char *text, const char *what, char *problem)
{
    char quoted[QUOTE_SIZE];
    value_quote(text, strlen(text), quoted, sizeof(quoted));
    snprintf(problem, VALUE_PROBLEM_SIZE, "\"%s\" %s", quoted, what);
    return false;
}

static bool reject_kind(const struct schema_key *key, const char *text, char *problem)
{
    char noun[VALUE_NOUN_SIZE];
    char what[VALUE_NOUN_SIZE + 8];
    value_noun(key, noun, sizeof(noun));
    snprintf(what, sizeof(what), "is not %s", noun);
    return reject(text, what, problem);
}

static bool reject_range(const struct schema_key *key, const char *text, char *problem)
{
    char what[96];
    snprintf(what, sizeof(what), "is out of range: %s to %s", key->minimum, key->maximum);
    return reject(text, what, problem);
}

static bool store_text(const char *text, void *field, char *problem)
{
    char *copy = strdup(text);
    if (copy == NULL) {
        snprintf(problem, VALUE_PROBLEM_SIZE, "out of memory");
        return false;
    }
    value_release(SCHEMA_TEXT, field);
    memcpy(field, &copy, sizeof(copy));
    return true;
}

static bool read_text(const struct schema_key *key, const char *text, void *field, char *problem)
{
    if (strlen(text) > key->max_length) {
        char what[48];
        snprintf(what, sizeof(what), "is longer than %zu bytes", key->max_length);
        return reject(text, what, problem);
    }
    const char *wrong = key->check == NULL ? NULL : key->check(text);
    return wrong == NULL ? store_text(text, field, problem) : reject(text, wrong, problem);
}

/* Digits and one of the units. Too large a number becomes UINT64_MAX: out of any range. */
static bool scan(const char *text, const struct unit *units, uint64_t *number_out)
{
    uint64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        unsigned digit = (unsigned)(*at - '0');
        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    if (at == text) {
        return false;
    }
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcmp(at, unit->name) == 0) {
            *number_out = number > UINT64_MAX / unit->factor ? UINT64_MAX : number * unit->factor;
            return true;
        }
    }
    return false;
}

static void store_number(enum schema_kind kind, uint64_t number, void *field)
{
    uint16_t port = (uint16_t)number;
    unsigned count = (unsigned)(kind == SCHEMA_SECONDS ? number / 1000 : number);
    if (kind == SCHEMA_BYTES) {
        memcpy(field, &number, sizeof(number));
    } else if (kind == SCHEMA_PORT) {
        memcpy(field, &port, sizeof(port));
    } else {
        memcpy(field, &count, sizeof(count));
    }
}

static bool read_number(const struct schema_key *key, const char *text, void *field, char *problem)
{
    const struct unit *units = kinds[key->kind].units;
    uint64_t number = 0;
    uint64_t minimum = 0;
    uint64_t maximum = 0;
    if (!scan(text, units, &number)) {
        return reject_kind(key, text, problem);
    }
    scan(key->minimum, units, &minimum);
    scan(key->maximum, units, &maximum);
    if (number < minimum || number > maximum) {
        return reject_range(key, text, problem);
    }
    if (key->kind == SCHEMA_SECONDS && number % 1000 != 0) {
        return reject(text, "is not a whole number of seconds", problem);
    }
    store_number(key->kind, number, field);
    return true;
}

static bool read_real(const struct schema_key *key, const char *text, void *field, char *problem)
{
    char *end = NULL;
    double number = strtod(text, &end);
    bool digits_only = text[strspn(text, "0123456789.eE+-")] == '\0'; /* no inf, no hex */
    if (end == text || *end != '\0' || !digits_only || !isfinite(number)) {
        return reject_kind(key, text, problem);
    }
    if (number < strtod(key->minimum, NULL) || number > strtod(key->maximum, NULL)) {
        return reject_range(key, text, problem);
    }
    memcpy(field, &number, sizeof(number));
    return true;
}

/* The index of the choice, or -1. */
static int find_choice(const char *choices, const char *text)
{
    int index = 0;
    for (const char *at = choices;; index++) {
        size_t length = strcspn(at, "|");
        if (strlen(text) == length && memcmp(at, text, length) == 0) {
            return index;
        }
        if (at[length] == '\0') {
            return -1;
        }
        at += length + 1;
    }
}

static bool read_choice(const struct schema_key *key, const char *text, void *field, char *problem)
{
    int index = find_choice(key->choices, text);
    if (index < 0) {
        return reject_kind(key, text, problem);
    }
    bool flag = index == 1;
    if (key->kind == SCHEMA_CHOICE_TEXT) {
        return store_text(text, field, problem);
    }
    if (key->kind == SCHEMA_BOOL) {
        memcpy(field, &flag, sizeof(flag));
    } else {
        memcpy(field, &index, sizeof(index));
    }
    return true;
}

/* The bits behind the prefix, which have to be zero: "10.0.0.7/24" may mean either. */
static bool has_host_bits(const struct address *address, unsigned bits)
{
    for (unsigned bit = bits; bit < 128; bit++) {
        if ((address->bytes[bit / 8] & 0x80u >> bit % 8) != 0) {
            return true;
        }
    }
    return false;
}

static bool read_cidr(const struct schema_key *key, const char *text, void *field, char *problem)
{
    char address_text[ADDRESS_TEXT_SIZE];
    struct address address;
    size_t length = strcspn(text, "/");
    bool ipv6 = memchr(text, ':', length) != NULL;
    uint64_t bits = ipv6 ? 128 : 32;
    if (length >= sizeof(address_text)) {
        return reject_kind(key, text, problem);
    }
    memcpy(address_text, text, length);
    address_text[length] = '\0';
    if (address_parse(address_text, &address) != 0 ||
        (text[length] == '/' && !scan(text + length + 1, no_unit, &bits))) {
        return reject_kind(key, text, problem);
    }
    if (bits > (ipv6 ? 128u : 32u)) {
        return reject(text, ipv6 ? "has a prefix longer than 128" : "has a prefix longer than 32",
                      problem);
    }
    unsigned prefix_bits = (unsigned)bits + (ipv6 ? 0 : 96);
    if (has_host_bits(&address, prefix_bits)) {
        return reject(text, "has bits set behind its prefix", problem);
    }
    struct directory_entry *entry = field;
    entry->address = address;
    entry->prefix_bits = prefix_bits;
    return true;
}

bool value_is_null(const struct value_scalar *scalar)
{
    return !scalar->quoted && (scalar->length == 0 || strcmp(scalar->text, "~") == 0 ||
                               strcmp(scalar->text, "null") == 0);
}

/* C0 and C1 (U+0080 to U+009F) and DEL: they have no place in a name and move terminals' cursors.
 */
static bool has_controls(const struct value_scalar *scalar)
{
    for (size_t i = 0; i < scalar->length; i++) {
        unsigned char byte = (unsigned char)scalar->text[i];
        unsigned char next = (unsigned char)scalar->text[i + 1]; /* at most the terminator */
        if (byte < ' ' || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0)) {
            return true;
        }
    }
    return false;
}

bool value_read(const struct schema_key *key, const struct value_scalar *scalar, void *field,
                char *problem)
{
    const struct kind *kind = &kinds[key->kind];
    if (value_is_null(scalar)) {
        snprintf(problem, VALUE_PROBLEM_SIZE, "has no value; leave the key out for its default");
        return false;
    }
    if (has_controls(scalar)) {
        snprintf(problem, VALUE_PROBLEM_SIZE, "holds a control character");
        return false;
    }
    if (scalar->quoted && !kind->quoted) {
        char noun[VALUE_NOUN_SIZE];
        value_noun(key, noun, sizeof(noun));
        snprintf(problem, VALUE_PROBLEM_SIZE, "expected %s, found text in quotes", noun);
        return false;
    }
    return kind->read(key, scalar->text, field, problem);
}

void value_release(enum schema_kind kind, void *field)
{
    if (kind == SCHEMA_TEXT || kind == SCHEMA_CHOICE_TEXT) {
        char *text = NULL;
        memcpy(&text, field, sizeof(text));
        free(text);
    }
}
