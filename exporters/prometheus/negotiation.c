#include "exporters/prometheus/negotiation.h"

#include "exporters/text.h"

#include <stddef.h>
#include <strings.h>

/* Qualities are counted in thousandths: they have three decimals at most. */
#define QUALITY_MAX 1000

/* How exactly an element of the field fits a format. */
enum fit {
    FIT_NONE,
    FIT_ANYTHING, /* by the range of all types */
    FIT_TYPE,     /* by a range of one type */
    FIT_NAMED
};

/* The best element for a format so far. */
struct liking {
    enum fit fit;
    unsigned quality;
    unsigned position;
};

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct text trimmed(struct text text)
{
    while (text.length > 0 && is_space(text.data[0])) {
        text.data++;
        text.length--;
    }
    while (text.length > 0 && is_space(text.data[text.length - 1])) {
        text.length--;
    }
    return text;
}

/* Takes what stands in front of the next separator outside of quotes off the text. */
static struct text take(struct text *rest, char separator)
{
    bool quoted = false;
    size_t length = 0;
    while (length < rest->length && (quoted || rest->data[length] != separator)) {
        quoted ^= rest->data[length] == '"';
        length++;
    }
    struct text part = {rest->data, length};
    size_t taken = length < rest->length ? length + 1 : length;
    rest->data += taken;
    rest->length -= taken;
    return trimmed(part);
}

static bool is(struct text text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

static struct text unquoted(struct text text)
{
    bool quotes = text.length >= 2 && text.data[0] == '"' && text.data[text.length - 1] == '"';
    return quotes ? (struct text){text.data + 1, text.length - 2} : text;
}

/* The value of a parameter, its data NULL when there is none of that name. */
static struct text parameter(struct text parameters, const char *name)
{
    while (parameters.length > 0) {
        struct text value = take(&parameters, ';');
        struct text found = take(&value, '=');
        if (is(found, name)) {
            return unquoted(trimmed(value));
        }
    }
    return (struct text){NULL, 0};
}

/* "0.75" in thousandths; 0, which is "never", for what is no quality. */
static unsigned read_quality(struct text text)
{
    unsigned quality = 0;
    unsigned unit = QUALITY_MAX;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        bool point = i == 1 && byte == '.';
        if (!point && (byte < '0' || byte > '9' || i == 1 || i > 4)) {
            return 0;
        }
        if (!point) {
            quality += (unsigned)(byte - '0') * unit;
            unit /= 10;
        }
    }
    return quality > QUALITY_MAX ? 0 : quality;
}

static unsigned quality_of(struct text parameters)
{
    struct text quality = parameter(parameters, "q");
    return quality.data == NULL ? QUALITY_MAX : read_quality(quality);
}

/* A version of the format that is asked for, if it is any, has to be ours. */
static bool has_version(struct text parameters, const char *version)
{
    struct text asked = parameter(parameters, "version");
    return asked.data == NULL || is(asked, version);
}

static enum fit fit_of(enum exposition_format format, struct text range, struct text parameters)
{
    if (is(range, "*/*")) {
        return FIT_ANYTHING;
    }
    switch (format) {
    case EXPOSITION_TEXT:
        if (is(range, "text/*")) {
            return FIT_TYPE;
        }
        return is(range, "text/plain") && has_version(parameters, "0.0.4") ? FIT_NAMED : FIT_NONE;
    case EXPOSITION_OPENMETRICS:
        if (is(range, "application/*")) {
            return FIT_TYPE;
        }
        return is(range, "application/openmetrics-text") && has_version(parameters, "1.0.0")
                   ? FIT_NAMED
                   : FIT_NONE;
    case EXPOSITION_PROTOBUF: /* its type alone says nothing about the messages */
        return is(range, "application/vnd.google.protobuf") &&
                       is(parameter(parameters, "proto"), "io.prometheus.client.MetricFamily") &&
                       is(parameter(parameters, "encoding"), "delimited")
                   ? FIT_NAMED
                   : FIT_NONE;
    case EXPOSITION_FORMATS:
        break;
    }
    return FIT_NONE;
}

/* The most exact element decides about a format; of equally exact ones the best. */
static void like(struct liking *liking, enum fit fit, unsigned quality, unsigned position)
{
    if (fit > liking->fit || (fit == liking->fit && quality > liking->quality)) {
        *liking = (struct liking){fit, quality, position};
    }
}

static bool is_better(const struct liking *liking, const struct liking *than)
{
    if (liking->quality != than->quality) {
        return liking->quality > than->quality;
    }
    if (liking->fit != than->fit) {
        return liking->fit > than->fit;
    }
    return liking->position < than->position;
}

enum exposition_format negotiation_format(const char *accept)
{
    struct liking likings[EXPOSITION_FORMATS] = {0};
    struct text rest = text_of(accept == NULL ? "" : accept);
    for (unsigned position = 0; rest.length > 0; position++) {
        struct text parameters = take(&rest, ',');
        struct text range = take(&parameters, ';');
        for (unsigned i = 0; i < EXPOSITION_FORMATS; i++) {
            enum fit fit = fit_of((enum exposition_format)i, range, parameters);
            if (fit != FIT_NONE) {
                like(&likings[i], fit, quality_of(parameters), position);
            }
        }
    }
    unsigned best = EXPOSITION_TEXT;
    for (unsigned i = 0; i < EXPOSITION_FORMATS; i++) {
        if (likings[i].quality > 0 && is_better(&likings[i], &likings[best])) {
            best = i;
        }
    }
    return (enum exposition_format)best;
}

bool negotiation_gzip(const char *accept_encoding)
{
    struct liking liking = {0};
    struct text rest = text_of(accept_encoding == NULL ? "" : accept_encoding);
    while (rest.length > 0) {
        struct text parameters = take(&rest, ',');
        struct text coding = take(&parameters, ';');
        if (is(coding, "gzip") || is(coding, "x-gzip")) {
            like(&liking, FIT_NAMED, quality_of(parameters), 0);
        } else if (is(coding, "*")) {
            like(&liking, FIT_ANYTHING, quality_of(parameters), 0);
        }
    }
    return liking.quality > 0;
}
