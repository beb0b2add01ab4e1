#include "agent/kube/client/base64.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int value_of(char letter)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = letter == '\0' ? NULL : strchr(alphabet, letter);
    return found == NULL ? -1 : (int)(found - alphabet);
}

static bool is_space(char letter)
{
    return letter == '\n' || letter == '\r' || letter == ' ' || letter == '\t';
}

/* What follows the letters: at most two "=", and spaces. */
static bool is_padding(const char *rest, size_t letters)
{
    size_t signs = 0;
    for (; *rest != '\0'; rest++) {
        if (*rest == '=') {
            signs++;
        } else if (!is_space(*rest)) {
            return false;
        }
    }
    return letters % 4 != 1 && (letters + signs) % 4 == 0 && signs <= 2;
}

char *base64_decode_text(const char *encoded)
{
    char *text = malloc(strlen(encoded) / 4 * 3 + 4);
    if (text == NULL) {
        return NULL;
    }
    size_t length = 0;
    size_t letters = 0;
    uint32_t bits = 0;
    for (; value_of(*encoded) >= 0 || is_space(*encoded); encoded++) {
        if (is_space(*encoded)) {
            continue;
        }
        bits = bits << 6 | (uint32_t)value_of(*encoded);
        if (letters++ % 4 != 0) {
            unsigned left = (unsigned)(6 - (letters - 1) % 4 * 2);
            text[length++] = (char)(uint8_t)(bits >> left);
        }
    }
    text[length] = '\0';
    if (!is_padding(encoded, letters) || strlen(text) != length) {
        free(text);
        return NULL;
    }
    return text;
}
