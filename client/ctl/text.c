/* SPDX-License-Identifier: Apache-2.0 */
/* Text for terminals. The daemon refuses control characters in names; this file does not rely on that. */
#include "client/ctl/text.h"

#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "proto/base/text.h"

void text_print(FILE *file, const char *text)
{
    size_t left = strlen(text);
    mbstate_t state = {0};
    while (left > 0) {
        wchar_t character;
        size_t length = mbrtowc(&character, text, left, &state);
        if (length == 0 || length > left) { /* malformed or cut off: go on behind the byte */
            length = 1;
            character = L'\0';
            state = (mbstate_t){0};
        }
        (void)(iswprint((wint_t)character) ? fwrite(text, 1, length, file) : fwrite("?", 1, 1, file));
        text += length;
        left -= length;
    }
}

char *text_shorten(char *ret, size_t size, const char *text)
{
    static const char dots[] = "...";
    text_copy(ret, size, text);
    if (strlen(text) >= size) {
        ret[size - sizeof dots] = '\0';
        text_end_whole(ret);
        text_copy(ret + strlen(ret), sizeof dots, dots);
    }
    return ret;
}
