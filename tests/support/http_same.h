#pragma once

#include "http_parser/head.h"

#include <stdbool.h>

/* Whether two readings of the same bytes, at the same place, say the same. */
bool http_same(const struct http_head *a, const struct http_head *b);
