/* SPDX-License-Identifier: Apache-2.0 */
/* The properties of characters are utf8proc's, which follows Unicode. */
#include "proto/name.h"

#include <string.h>
#include <utf8proc.h>

#include "proto/message.h"

static bool is_visible(utf8proc_int32_t character)
{
    const utf8proc_property_t *property = utf8proc_get_property(character);
    switch ((int)property->category) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return !property->ignorable;
    }
}

bool name_is_valid(const char *name)
{
    size_t left = strnlen(name, MESSAGE_NAME_SIZE);
    if (left == MESSAGE_NAME_SIZE) {
        return false;
    }
    while (left > 0) {
        utf8proc_int32_t character;
        utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)name, (utf8proc_ssize_t)left, &character);
        if (length <= 0 || !is_visible(character)) {
            return false;
        }
        name += length;
        left -= (size_t)length;
    }
    return true;
}
