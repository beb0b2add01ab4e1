#pragma once

#include <stddef.h>

/* U+FFFD, what stands for a byte that cannot be shown. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/* Length of the well-formed sequence (RFC 3629) at the start of `bytes`, 1 to 4; 0 when there is
 * none: no byte left, an overlong form, a surrogate, above U+10FFFF or cut off. */
size_t utf8_sequence(const char *bytes, size_t length);

/* How many of the bytes, from the first on, are valid UTF-8 without NUL. */
size_t utf8_plain_run(const char *bytes, size_t length);
