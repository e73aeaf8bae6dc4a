/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/control_group.h"

#include <errno.h>
#include <string.h>

static const char suffix[] = ".slice", root_slice[] = "-.slice";

/* A part of a text. */
struct piece {
    const char *text;
    size_t length;
};

/* ---- what the kernel says ---- */

/* The path of a line "number:controllers:path"; no text: it is none. */
static struct piece path_of(const char *line, size_t length)
{
    const char *end = line + length;
    const char *controllers = memchr(line, ':', length);
    const char *path = controllers ? memchr(controllers + 1, ':', (size_t)(end - controllers - 1)) : NULL;
    if (!path || path + 1 == end || path[1] != '/') {
        return (struct piece){NULL, 0};
    }
    return (struct piece){path + 1, (size_t)(end - path - 1)};
}

static bool has_path(const char *groups, const struct piece *path)
{
    for (const char *at = groups; *at; at += strcspn(at, "\n") + 1) {
        if (strcspn(at, "\n") == path->length && memcmp(at, path->text, path->length) == 0) {
            return true;
        }
    }
    return false;
}

int control_groups_parse(const char *text, char ret[CONTROL_GROUPS_SIZE])
{
    size_t used = 0;
    ret[0] = '\0';
    while (*text) {
        size_t length = strcspn(text, "\n");
        struct piece path = path_of(text, length);
        if (path.text && !has_path(ret, &path)) {
            if (path.length + 2 > CONTROL_GROUPS_SIZE - used) {
                ret[0] = '\0';
                return -E2BIG;
            }
            memcpy(ret + used, path.text, path.length);
            used += path.length;
            ret[used++] = '\n';
            ret[used] = '\0';
        }
        text += length + (text[length] == '\n');
    }
    return 0;
}

/* ---- the names in a pattern ---- */

/* A name in a pattern; of a slice above the one that is meant, ".slice" is still to be added. */
struct pattern_name {
    struct piece piece;
    bool is_cut;
};

/* The next name, from `at` on. Returns where the one after it begins; NULL: there is none. */
static const char *next_name(const char *pattern, const char *at, struct pattern_name *ret)
{
    if (pattern[0] == '/') {
        at += *at == '/';
        ret->piece = (struct piece){at, strcspn(at, "/")};
        ret->is_cut = false;
        return ret->piece.length ? at + ret->piece.length : NULL;
    }
    if (!*at || strcmp(pattern, root_slice) == 0) {
        return NULL;
    }
    at += strcspn(at, "-");
    ret->piece = (struct piece){pattern, (size_t)(at - pattern)};
    ret->is_cut = *at == '-';
    return at + ret->is_cut;
}

/* The byte of a name, which goes on with ".slice" if it was cut; NUL behind its end, where nobody may go on. */
static char byte_at(const struct pattern_name *name, size_t at)
{
    if (at < name->piece.length) {
        return name->piece.text[at];
    }
    return name->is_cut ? suffix[at - name->piece.length] : '\0';
}

/* Each * takes as little as it can, and one byte more whenever the rest does not match. */
static bool name_matches(const struct pattern_name *name, const struct piece *text, bool is_pattern)
{
    size_t at = 0, star = 0, behind_star = 0;
    bool has_star = false;
    for (size_t i = 0; i < text->length;) {
        char wanted = byte_at(name, at);
        if (wanted == '*') {
            has_star = true;
            behind_star = ++at;
            star = i;
        } else if (wanted == text->text[i] || (wanted == '?' && !(is_pattern && text->text[i] == '*'))) {
            at++;
            i++;
        } else if (has_star) {
            at = behind_star;
            i = ++star;
        } else {
            return false;
        }
    }
    while (byte_at(name, at) == '*') {
        at++;
    }
    return byte_at(name, at) == '\0';
}

/* ---- what is wrong with a pattern ---- */

static const char *path_fault(const char *path)
{
    if (strcmp(path, "/") == 0) {
        return NULL;
    }
    while (*path == '/') {
        size_t length = strcspn(++path, "/");
        if (length == 0) {
            return "a name is missing before or behind a /";
        }
        if (strncmp(path, ".", length) == 0 || strncmp(path, "..", length) == 0) {
            return "no control group is called . or ..";
        }
        if (length > CONTROL_NAME_MAX) {
            return "a control group's name has at most 255 bytes";
        }
        path += length;
    }
    return NULL;
}

const char *control_pattern_fault(const char *pattern)
{
    size_t length = strlen(pattern), tail = sizeof suffix - 1;
    if (pattern[0] == '/') {
        return path_fault(pattern);
    }
    if (length <= tail || strcmp(pattern + length - tail, suffix) != 0 || strchr(pattern, '/')) {
        return "a slice such as training.slice or a path such as /kubepods/* is expected";
    }
    if (strcmp(pattern, root_slice) == 0) {
        return NULL;
    }
    if (pattern[0] == '-' || pattern[length - tail - 1] == '-' || strstr(pattern, "--")) {
        return "systemd has no slice of that name: a - stands between two parts of a name";
    }
    return length > CONTROL_NAME_MAX ? "a control group's name has at most 255 bytes" : NULL;
}

/* Everything is below the root, which would leave nobody outside. */
const char *control_path_fault(const char *path)
{
    const char *end = path + strlen(path);
    if (end - path < 2 || *path != '/') {
        return "a path below the root is expected, such as /jobs/7";
    }
    if (end - path >= CONTROL_GROUPS_SIZE - 1) {
        return "it is longer than the kernel shows";
    }
    while (path < end) {
        size_t name = strcspn(++path, "/");
        if (name == 0 || (name == 1 && *path == '.') || (name == 2 && strncmp(path, "..", 2) == 0)) {
            return "it has an empty name in it, or . or ..";
        }
        if (name > CONTROL_NAME_MAX) {
            return "a control group's name has at most 255 bytes";
        }
        path += name;
    }
    return NULL;
}

/* ---- matching ---- */

/* The number of names, all of which the path has from its root on; -1: it has not. */
static int names_in(const char *pattern, struct piece path)
{
    struct pattern_name name;
    int count = 0;
    for (const char *at = pattern; (at = next_name(pattern, at, &name)); count++) {
        path.text += path.length > 0;
        path.length -= path.length > 0;
        const char *end = memchr(path.text, '/', path.length);
        struct piece own = {path.text, end ? (size_t)(end - path.text) : path.length};
        if (own.length == 0 || !name_matches(&name, &own, false)) {
            return -1;
        }
        path.text += own.length;
        path.length -= own.length;
    }
    return count;
}

unsigned control_pattern_match(const char *pattern, const char *groups)
{
    for (const char *at = groups; at && *at; at += strcspn(at, "\n") + 1) {
        int names = names_in(pattern, (struct piece){at, strcspn(at, "\n")});
        if (names >= 0) {
            return (unsigned)names + 1;
        }
    }
    return 0;
}

/* A name as the text that it is; one that was cut is the beginning of a slice's. */
static bool name_covers(const struct pattern_name *name, const struct pattern_name *other)
{
    char text[CONTROL_NAME_MAX + sizeof suffix];
    struct piece whole = {text, 0};
    while (whole.length < sizeof text && byte_at(other, whole.length)) {
        text[whole.length] = byte_at(other, whole.length);
        whole.length++;
    }
    return name_matches(name, &whole, true);
}

bool control_pattern_covers(const char *pattern, const char *other)
{
    struct pattern_name name, others;
    const char *at = pattern, *other_at = other;
    for (;;) {
        at = next_name(pattern, at, &name);
        other_at = next_name(other, other_at, &others);
        if (!at || !other_at) {
            return !at && !other_at;
        }
        if (!name_covers(&name, &others)) {
            return false;
        }
    }
}
