#include "agent/exchange/identifier.h"

#include "agent/base/address.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Words are what is left when nothing below recognises an identifier, so every rule has to spare
 * the words that contain digits: "v1beta1", "oauth2", "iso-8601", "x86_64", "k8s", "1.0". A wrong
 * guess costs readability in one direction and series in the other; the number of routes a service
 * may have is bounded elsewhere.
 */

/* Digits in a row that make the whole segment an identifier: words have years and sizes at most. */
#define DIGIT_RUN_MAX 4

/* Letters alone are random only when long and mixed; camelCase has few capitals. */
#define LETTERS_RANDOM_MIN 20

/* A maximal run of letters and digits. A switch is a change between digits, lower and upper case,
 * but for a capital in front of a small letter. */
struct run {
    unsigned length;
    unsigned digits;
    unsigned lowers;
    unsigned uppers;
    unsigned switches;
};

static bool is_digit_at(struct slice text, size_t index)
{
    return index < text.length && (byte_class_of(text.data[index]) & BYTE_DIGIT) != 0;
}

static struct slice sub_slice(struct slice text, size_t from, size_t length)
{
    return (struct slice){text.data + from, length};
}

/* Of the plain bytes; a %XX belongs to no class. */
static struct byte_classes classes_of(struct slice text)
{
    struct byte_classes classes = {0, UINT16_MAX};
    for (size_t i = 0; i < text.length; i++) {
        uint16_t class = byte_class_of(text.data[i]);
        classes.any |= class;
        classes.every &= class;
        i += text.data[i] == '%' ? 2 : 0;
    }
    return classes;
}

static unsigned two_digits(const char *text)
{
    return (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
}

static bool is_day(const char *year, const char *month, const char *day)
{
    unsigned century = two_digits(year);
    return (century == 19 || century == 20) && two_digits(month) - 1 < 12 &&
           two_digits(day) - 1 < 31;
}

/* Whether the bytes at `pattern`'s nines are digits and the others are equal. */
static bool fits(struct slice text, const char *pattern)
{
    size_t i = 0;
    for (; pattern[i] != '\0'; i++) {
        if (pattern[i] == '9' ? !is_digit_at(text, i)
                              : i >= text.length || text.data[i] != pattern[i]) {
            return false;
        }
    }
    return true;
}

/* "T120000Z", "T12:00:00.000+01:00", "%2012:00": what follows the day in a time stamp. */
static bool is_time_of_day(struct slice text)
{
    size_t at = fits(text, "%20") ? 3 : 1;
    if (at == 1 && text.data[0] != 'T' && text.data[0] != 't' && text.data[0] != '_') {
        return false;
    }
    if (!is_digit_at(text, at)) {
        return false;
    }
    for (; at < text.length; at++) {
        char byte = text.data[at];
        if (!is_digit_at(text, at) && byte != ':' && byte != '.' && byte != '+' && byte != '-' &&
            byte != 'Z' && byte != 'z') {
            return false;
        }
    }
    return true;
}

static const char *date_placeholder(struct slice text)
{
    size_t length = 0;
    if (fits(text, "9999-99-99") && is_day(text.data, text.data + 5, text.data + 8)) {
        length = 10;
    } else if (fits(text, "99999999") && is_day(text.data, text.data + 4, text.data + 6)) {
        length = 8;
    } else if (text.length == 7 && fits(text, "9999-99") && two_digits(text.data + 5) - 1 < 12) {
        length = 7;
    } else {
        return NULL;
    }
    if (text.length == length || is_time_of_day(sub_slice(text, length, text.length - length))) {
        return "{date}";
    }
    return length == 10 ? "{token}" : NULL; /* "2026-01-31-a-title" is as unique as its day */
}

static bool is_dashed_uuid(struct slice text)
{
    if (text.length != 36) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.data[i] != '-' : (byte_class_of(text.data[i]) & BYTE_HEX) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_bare_uuid(struct slice text)
{
    return text.length == 32 && (classes_of(text).every & BYTE_HEX) != 0;
}

static bool is_braced_uuid(struct slice text)
{
    if (text.length < 6 || !fits(text, "%7B") ||
        !fits(sub_slice(text, text.length - 3, 3), "%7D")) {
        return false;
    }
    struct slice inner = sub_slice(text, 3, text.length - 6);
    return is_dashed_uuid(inner) || is_bare_uuid(inner);
}

/* Hex digits only, both letters and digits among them. Short ones need to look like no word:
 * "cafe2024" stays, "3f9d8c7e" does not. */
static const char *hex_placeholder(struct slice text)
{
    if (text.length >= 16) {
        return text.length == 32 ? "{uuid}" : "{hash}";
    }
    unsigned digits = 0;
    unsigned switches = 0;
    for (size_t i = 0; i < text.length; i++) {
        digits += is_digit_at(text, i);
        switches += i > 0 && is_digit_at(text, i) != is_digit_at(text, i - 1);
    }
    bool word = digits < 2 || (switches < 2 && !is_digit_at(text, 0));
    return text.length >= 8 && !word ? "{hash}" : NULL;
}

/* Something before one '@' and a domain of two labels behind it: not "@scope", not "pkg@1.2.3". */
static bool is_email(struct slice text)
{
    const char *at = memchr(text.data, '@', text.length);
    if (at == NULL || at == text.data) {
        return false;
    }
    const char *end = text.data + text.length;
    const char *label = NULL;
    for (const char *byte = at + 1; byte < end; byte++) {
        if (*byte == '.') {
            label = byte + 1;
        } else if ((byte_class_of(*byte) & (BYTE_LETTER | BYTE_DIGIT)) == 0 && *byte != '-') {
            return false;
        }
    }
    if (label == NULL || label == at + 2 || end - label < 2) {
        return false;
    }
    struct slice top = {label, (size_t)(end - label)};
    return (classes_of(top).any & BYTE_DIGIT) == 0;
}

static bool is_ip_address(struct slice text)
{
    char terminated[ADDRESS_TEXT_SIZE];
    struct address address;
    if (text.length >= sizeof(terminated)) {
        return false;
    }
    memcpy(terminated, text.data, text.length);
    terminated[text.length] = '\0';
    return address_parse(terminated, &address) == 0;
}

/* "1.0" and "1.2.3" name versions, "3.14" and "-7" do not. Called without any letter in `text`. */
static bool is_plain_version(struct slice text)
{
    unsigned dots = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '.' && is_digit_at(text, i + 1)) {
            dots++;
        } else if (!is_digit_at(text, i)) {
            return false;
        }
    }
    return is_digit_at(text, 0) && (dots == 2 || (dots == 1 && text.length == 3));
}

static size_t skip_digits(struct slice text, size_t at)
{
    while (is_digit_at(text, at)) {
        at++;
    }
    return at;
}

/* "v1", "v1.2", "v1p1beta1", "v2alpha1": API versions as Kubernetes and Google write them. */
static bool is_named_version(struct slice text)
{
    static const char *const stages[] = {"alpha", "beta", "rc", "preview", "dev"};
    if ((text.data[0] != 'v' && text.data[0] != 'V') || !is_digit_at(text, 1)) {
        return false;
    }
    size_t at = skip_digits(text, 1);
    while (at + 1 < text.length && (text.data[at] == '.' || text.data[at] == 'p') &&
           is_digit_at(text, at + 1)) {
        at = skip_digits(text, at + 1);
    }
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        if (fits(sub_slice(text, at, text.length - at), stages[i])) {
            at = skip_digits(text, at + strlen(stages[i]));
            break;
        }
    }
    return at == text.length && text.length <= 16;
}

static bool run_is_random(const struct run *run)
{
    if (run->digits == 0) {
        return run->length >= LETTERS_RANDOM_MIN && run->uppers * 4 >= run->length &&
               run->lowers * 4 >= run->length;
    }
    if (run->digits == run->length) {
        return false;
    }
    if (run->length >= 16 && run->switches >= 2 && run->digits * 8 >= run->length) {
        return true;
    }
    bool mixed_case = run->lowers > 0 && run->uppers > 0;
    unsigned switches_min = mixed_case || run->length < 8 ? 4 : 3;
    return run->length >= 6 && run->switches >= switches_min && run->switches * 4 >= run->length;
}

static void run_add(struct run *run, uint16_t class, uint16_t previous)
{
    const uint16_t kinds = BYTE_DIGIT | BYTE_LETTER;
    bool capital = (previous & BYTE_UPPER) != 0 && (class & BYTE_LOWER) != 0;
    run->length++;
    run->digits += (class & BYTE_DIGIT) != 0;
    run->lowers += (class & BYTE_LOWER) != 0;
    run->uppers += (class & BYTE_UPPER) != 0;
    run->switches += previous != 0 && (previous & kinds) != (class & kinds) && !capital;
}

/* Random characters give themselves away by changing between digits and letters. */
static bool is_token(struct slice text)
{
    struct run run = {0};
    unsigned digits_in_row = 0;
    size_t all_switches = 0;
    uint16_t previous = 0;
    for (size_t i = 0; i < text.length; i++) {
        uint16_t class = byte_class_of(text.data[i]);
        if ((class & (BYTE_DIGIT | BYTE_LETTER)) != 0) {
            run_add(&run, class, previous);
            previous = class;
            digits_in_row = (class & BYTE_DIGIT) != 0 ? digits_in_row + 1 : 0;
            if (digits_in_row > DIGIT_RUN_MAX) {
                return true;
            }
            continue;
        }
        if (run_is_random(&run)) {
            return true;
        }
        i += text.data[i] == '%' ? 2 : 0;
        all_switches += run.switches;
        run = (struct run){0};
        previous = 0;
        digits_in_row = 0;
    }
    all_switches += run.switches;
    /* Groups, each too short to tell: "A1B2-C3D4-E5F6". */
    return run_is_random(&run) || (text.length >= 12 && all_switches * 2 >= text.length);
}

/* An extension is a dot, a letter and at most four more letters or digits; up to two of them. */
static size_t extension_length(struct slice text)
{
    size_t start = text.length;
    for (unsigned count = 0; count < 2; count++) {
        size_t dot = start;
        while (dot > 0 && start - dot < 6 &&
               (byte_class_of(text.data[dot - 1]) & (BYTE_LETTER | BYTE_DIGIT)) != 0) {
            dot--;
        }
        size_t length = start - dot;
        if (length < 1 || length > 5 || dot < 2 || text.data[dot - 1] != '.' ||
            is_digit_at(text, dot)) {
            break;
        }
        start = dot - 1;
    }
    return text.length - start;
}

/* ":activate" behind a resource's name (Google AIP-136). */
static size_t verb_length(struct slice text)
{
    size_t colon = text.length;
    while (colon > 0 && (byte_class_of(text.data[colon - 1]) & BYTE_LETTER) != 0) {
        colon--;
    }
    bool found = colon > 1 && colon < text.length && text.data[colon - 1] == ':';
    return found ? text.length - colon + 1 : 0;
}

static const char *stem_placeholder(struct slice text, struct byte_classes classes)
{
    if ((classes.every & BYTE_DIGIT) != 0) {
        const char *date = text.length == 8 ? date_placeholder(text) : NULL; /* 20260131 */
        return date != NULL ? date : "{id}";
    }
    if ((classes.every & BYTE_HEX) != 0) {
        const char *hash = hex_placeholder(text);
        return hash != NULL || !is_token(text) ? hash : "{token}";
    }
    if (is_dashed_uuid(text) || is_braced_uuid(text)) {
        return "{uuid}";
    }
    const char *date = date_placeholder(text);
    if (date != NULL) {
        return date;
    }
    if ((classes.any & BYTE_LETTER) == 0) {
        return (classes.any & BYTE_DIGIT) == 0 || is_plain_version(text) ? NULL : "{id}";
    }
    if (text.length > 2 && (fits(text, "0x") || fits(text, "0X")) &&
        (classes_of(sub_slice(text, 2, text.length - 2)).every & BYTE_HEX) != 0) {
        return text.length >= 18 ? "{hash}" : "{id}";
    }
    return !is_named_version(text) && is_token(text) ? "{token}" : NULL;
}

const char *identifier_placeholder(struct slice segment, struct byte_classes classes,
                                   size_t *suffix_out)
{
    *suffix_out = 0;
    if (segment.length > IDENTIFIER_WORD_MAX) {
        return "{token}";
    }
    if ((classes.every & BYTE_DIGIT) != 0) { /* the most frequent, and has no suffix */
        return stem_placeholder(segment, classes);
    }
    bool mixed_letters = (classes.any & BYTE_UPPER) != 0 && segment.length >= LETTERS_RANDOM_MIN;
    if ((classes.any & (BYTE_DIGIT | BYTE_AT | BYTE_COLON)) == 0 && !mixed_letters) {
        return NULL;
    }
    if ((classes.any & BYTE_AT) != 0 && is_email(segment)) {
        return "{email}";
    }
    if ((classes.every & BYTE_ADDRESS) != 0 && (classes.every & BYTE_HEX) == 0 &&
        is_ip_address(segment)) {
        return "{ip}";
    }
    size_t suffix = extension_length(segment);
    if (suffix == 0) {
        suffix = (classes.any & BYTE_COLON) != 0 ? verb_length(segment) : 0;
    }
    struct slice stem = sub_slice(segment, 0, segment.length - suffix);
    *suffix_out = suffix;
    return stem_placeholder(stem, suffix > 0 ? classes_of(stem) : classes);
}
