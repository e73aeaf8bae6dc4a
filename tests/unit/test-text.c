/* SPDX-License-Identifier: Apache-2.0 */
/* A text that was cut ends with a whole character. */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/base/text.h"

TestSuite(text);

static void expect_whole(const char *whole)
{
    char text[32];
    for (size_t cut = 0; cut <= strlen(whole); cut++) {
        text_copy(text, cut + 1, whole);
        text_end_whole(text);
        size_t length = strlen(text);
        cr_expect(strncmp(text, whole, length) == 0);
        cr_expect(((unsigned char)whole[length] & 0xc0) != 0x80, "%s cut at %zu ends inside a character", whole, cut);
        cr_expect(cut - length <= 3 && ((unsigned char)whole[cut] & 0xc0) == 0x80 ? cut > length : cut == length,
                  "%s cut at %zu: %zu", whole, cut, length);
    }
}

Test(text, a_cut_text_ends_with_a_whole_character)
{
    expect_whole("");
    expect_whole("plain");
    expect_whole("\xc3\xa9t\xc3\xa9");                          /* two bytes a character */
    expect_whole("\xe2\x82\xac\xe2\x82\xac");                   /* three */
    expect_whole("a\xf0\x9f\x90\xa7z\xf0\x9f\x90\xa7\xc3\xa9"); /* four */
}

Test(text, what_is_no_utf8_is_cut_by_a_character_at_most)
{
    char text[] = "\x80\x80\x80\x80\x80";
    text_end_whole(text);
    cr_expect_eq(strlen(text), 5);
    char lead[] = "ab\xf0";
    text_end_whole(lead);
    cr_expect_str_eq(lead, "ab");
}
