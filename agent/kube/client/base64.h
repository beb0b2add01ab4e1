#pragma once

/* Decodes base64 (RFC 4648 section 4; line breaks are skipped) to terminated text, as PEM is. The
 * caller frees. NULL: it is not base64, holds a NUL, or memory is out. */
char *base64_decode_text(const char *encoded);
