/* SPDX-License-Identifier: Apache-2.0 */
/* The properties of characters are utf8proc's, which follows Unicode. */
#include "proto/name.h"

#include <string.h>
#include <utf8proc.h>

#include "proto/message.h"

static bool is_visible(utf8proc_int32_t character)
{
    const utf8proc_property_t *property = utf8proc_get_property(character);
    utf8proc_category_t category = (utf8proc_category_t)property->category;
    bool is_refused = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
                      category == UTF8PROC_CATEGORY_CO || category == UTF8PROC_CATEGORY_CS ||
                      category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
    return !is_refused && !property->ignorable;
}

/* The length of the first character in bytes; 0: it can't be in a name. ASCII, the most frequent, is not looked up. */
static size_t character_length(const char *name, size_t left)
{
    utf8proc_int32_t character;
    if (*name >= ' ' && *name <= '~') {
        return 1;
    }
    utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)name, (utf8proc_ssize_t)left, &character);
    return length > 0 && is_visible(character) ? (size_t)length : 0;
}

bool name_shows(const char *text, size_t length)
{
    while (length > 0) {
        size_t character = character_length(text, length);
        if (!character) {
            return false;
        }
        text += character;
        length -= character;
    }
    return true;
}

bool name_is_valid(const char *name)
{
    size_t length = strnlen(name, MESSAGE_NAME_SIZE);
    return length < MESSAGE_NAME_SIZE && name_shows(name, length);
}

static bool is_blank(utf8proc_int32_t character)
{
    return utf8proc_category(character) == UTF8PROC_CATEGORY_ZS;
}

/* Of a valid name. */
static bool has_blank_end(const char *name)
{
    utf8proc_int32_t first = 0, last = 0;
    while (*name) {
        name += utf8proc_iterate((const utf8proc_uint8_t *)name, -1, &last);
        first = first ? first : last;
    }
    return is_blank(first) || is_blank(last);
}

const char *name_fault(const char *name)
{
    size_t length = strnlen(name, MESSAGE_NAME_SIZE);
    if (length == 0 || length == MESSAGE_NAME_SIZE) {
        return "it must have 1 to 63 bytes of UTF-8";
    }
    if (!name_is_valid(name)) {
        return "it has characters that do not show, such as a line break, or it is no UTF-8";
    }
    return has_blank_end(name) ? "it begins or ends with a blank" : NULL;
}
