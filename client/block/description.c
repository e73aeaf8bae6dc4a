/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading metadata: one flat JSON object, of which only some members matter. It comes from another program, perhaps of
 * another user, so nothing of it is believed before it was checked.
 */
#include "client/block/description.h"

#include <errno.h>
#include <string.h>

#include "client/block/block.h"
#include "client/error.h"
#include "client/owner.h"

/* ---- JSON ---- */

struct text {
    const char *at, *end;
};

static bool is_one_of(char is, const char *set)
{
    return is != '\0' && strchr(set, is);
}

static void skip_spaces(struct text *text)
{
    while (text->at < text->end && is_one_of(*text->at, " \t\r\n")) {
        text->at++;
    }
}

/* Skips it, with the spaces before it. */
static bool take(struct text *text, char wanted)
{
    skip_spaces(text);
    bool is_there = text->at < text->end && *text->at == wanted;
    text->at += is_there;
    return is_there;
}

/* What is between the quotes, as it is written. */
static bool take_string(struct text *text, struct text *ret)
{
    if (!take(text, '"')) {
        return false;
    }
    ret->at = text->at;
    while (text->at < text->end && *text->at != '"') {
        text->at += *text->at == '\\' && text->at + 1 < text->end ? 2 : 1;
    }
    ret->end = text->at;
    return text->at < text->end && take(text, '"');
}

static bool take_number(struct text *text, uint64_t *ret)
{
    skip_spaces(text);
    const char *first = text->at;
    *ret = 0;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        if (__builtin_mul_overflow(*ret, 10, ret) || __builtin_add_overflow(*ret, (uint64_t)(*text->at - '0'), ret)) {
            return false;
        }
    }
    bool is_whole = text->at == text->end || is_one_of(*text->at, " \t\r\n,]}");
    bool has_zeros = text->at > first + 1 && *first == '0'; /* in front, which JSON does not have */
    return text->at > first && is_whole && !has_zeros;
}

/* A value that does not matter, to the comma or the bracket after it. */
static bool skip_value(struct text *text)
{
    struct text unused;
    for (unsigned depth = 0; text->at < text->end; text->at++) {
        char is = *text->at;
        if (is == '"') {
            if (!take_string(text, &unused)) {
                return false;
            }
            text->at--;
        } else if (depth == 0 && (is == ',' || is == '}' || is == ']')) {
            return true;
        }
        depth += is == '{' || is == '[';
        depth -= is == '}' || is == ']';
    }
    return false;
}

static bool is_word(const struct text *text, const char *word)
{
    size_t bytes = strlen(word);
    return (size_t)(text->end - text->at) == bytes && memcmp(text->at, word, bytes) == 0;
}

/* ---- members ---- */

struct members {
    struct text dtype, order;
    bool has_bytes, has_shape;
    uint64_t bytes, shape[DIMENSIONS_MAX];
    unsigned dimensions;
};

static bool take_shape(struct text *text, struct members *ret)
{
    ret->dimensions = 0;
    ret->has_shape = take(text, '[');
    if (!ret->has_shape || take(text, ']')) {
        return ret->has_shape;
    }
    do {
        if (ret->dimensions == DIMENSIONS_MAX || !take_number(text, &ret->shape[ret->dimensions++])) {
            return false;
        }
    } while (take(text, ','));
    return take(text, ']');
}

/* False also if it was there before: readers would differ in which of them they take. */
static bool take_member(struct text *text, struct members *ret)
{
    struct text name;
    if (!take_string(text, &name) || !take(text, ':')) {
        return false;
    }
    if (is_word(&name, "dtype")) {
        return !ret->dtype.at && take_string(text, &ret->dtype);
    }
    if (is_word(&name, "order")) {
        return !ret->order.at && take_string(text, &ret->order);
    }
    if (is_word(&name, "shape")) {
        return !ret->has_shape && take_shape(text, ret);
    }
    if (is_word(&name, "bytes")) {
        bool is_first = !ret->has_bytes;
        ret->has_bytes = take_number(text, &ret->bytes);
        return is_first && ret->has_bytes;
    }
    return skip_value(text);
}

static bool take_members(struct text *text, struct members *ret)
{
    if (!take(text, '{')) {
        return false;
    }
    if (take(text, '}')) {
        return true;
    }
    do {
        if (!take_member(text, ret)) {
            return false;
        }
    } while (take(text, ','));
    bool is_whole = take(text, '}');
    skip_spaces(text);
    return is_whole && text->at == text->end;
}

/* ---- what they mean ---- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OWN_ORDER '<'
#else
#define OWN_ORDER '>'
#endif

/* The lengths of elements that are numbers, each as the character of a type string. */
static const struct {
    char kind;
    const char *lengths;
} kinds[] = {{'b', "1"}, {'i', "1248"}, {'u', "1248"}, {'f', "248"}, {'c', "8"}};

static bool has_number(char kind, char length)
{
    bool found = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !found; i++) {
        found = kinds[i].kind == kind && strchr(kinds[i].lengths, length);
    }
    return found;
}

static bool read_type(const struct text *dtype, struct description *ret)
{
    if (is_word(dtype, "bfloat16")) {
        ret->kind = 'E';
        ret->item_bytes = 2;
        return true;
    }
    const char *at = dtype->at;
    ret->kind = dtype->end - at >= 3 ? at[1] : '\0';
    if (dtype->end - at == 4 && memcmp(at + 1, "c16", 3) == 0) {
        ret->item_bytes = 16;
        return at[0] == OWN_ORDER;
    }
    if (dtype->end - at != 3 || !at[2] || !has_number(at[1], at[2])) {
        return false;
    }
    ret->item_bytes = (unsigned)(at[2] - '0');
    return at[0] == OWN_ORDER || (at[0] == '|' && ret->item_bytes == 1);
}

/* Whether the lengths times the size of an element are the bytes. */
static bool does_fit(const struct description *description)
{
    uint64_t product = description->item_bytes;
    for (unsigned i = 0; i < description->dimensions; i++) {
        if (description->shape[i] > INT64_MAX || __builtin_mul_overflow(product, description->shape[i], &product)) {
            return false;
        }
    }
    return product == description->bytes;
}

static int no_array(const mb_view *view)
{
    return error_set(-EINVAL,
                     "the metadata of block \"%s\" describes no array that fits its %llu bytes; client/BLOCKS.md says "
                     "how it must look",
                     view->lease->name, (unsigned long long)view->bytes);
}

static int describe_array(const mb_view *view, const struct members *members, struct description *ret)
{
    bool is_fortran = is_word(&members->order, "F");
    if (!members->has_bytes || !members->has_shape || !members->dtype.at || members->bytes > view->bytes ||
        (members->order.at && !is_fortran && !is_word(&members->order, "C"))) {
        return no_array(view);
    }
    *ret = (struct description){.is_fortran = is_fortran, .dimensions = members->dimensions, .bytes = members->bytes};
    memcpy(ret->shape, members->shape, sizeof ret->shape);
    if (!read_type(&members->dtype, ret)) {
        return error_set(-EOPNOTSUPP, "block \"%s\" has elements that are no numbers in this machine's byte order",
                         view->lease->name);
    }
    return does_fit(ret) ? 0 : no_array(view);
}

static int describe(const mb_view *view, struct description *ret)
{
    const char *metadata = (const char *)view->attached.metadata;
    struct text text = {metadata, metadata + view->attached.metadata_bytes};
    struct members members = {.has_bytes = false};
    bool is_whole = take_members(&text, &members);
    const char *type = view->attached.type;
    if (is_whole && strcmp(type, "array") == 0) {
        return describe_array(view, &members, ret);
    }
    bool is_bytes = strcmp(type, "bytes") == 0 || strcmp(type, "arrow-stream") == 0;
    if (!is_bytes || !is_whole || !members.has_bytes || members.bytes > view->bytes) {
        return no_array(view);
    }
    *ret = (struct description){
        .kind = 'u', .item_bytes = 1, .dimensions = 1, .shape = {members.bytes}, .bytes = members.bytes};
    return 0;
}

int description_read(const mb_view *view, struct description *ret)
{
    int result = owner_check(view->lease->client);
    if (result == 0) {
        result = mb_view_check(view);
    }
    return result < 0 ? result : describe(view, ret);
}
