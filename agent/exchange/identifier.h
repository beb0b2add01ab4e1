#pragma once

#include "agent/base/slice.h"
#include "agent/exchange/byte_class.h"

#include <stddef.h>

/* Longer segments are no words that a programmer typed; gRPC's "package.Service" still fits. */
#define IDENTIFIER_WORD_MAX 64

/*
 * Tells words of a path from identifiers. `segment` is in normal form (plain bytes and upper-case
 * %XX only), `classes` are those of its plain bytes, with `every` empty where there was a %XX.
 *
 * Returns the placeholder ("{id}", "{uuid}", "{hash}", "{token}", "{date}", "{email}", "{ip}"), or
 * NULL for a word. `suffix_out` is how many bytes at the end are not part of the identifier: a file
 * extension (".png", ".tar.gz") or a verb (":activate").
 */
const char *identifier_placeholder(struct slice segment, struct byte_classes classes,
                                   size_t *suffix_out);
