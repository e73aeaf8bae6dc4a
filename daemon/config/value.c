/* SPDX-License-Identifier: Apache-2.0 */
/* What all types have in common; and the types of paths, groups, modes and choices. */
#include "daemon/config/value.h"

#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "daemon/config/config_line.h"

bool value_is_set(const struct value_type *type, const void *value)
{
    return !type->is_set || type->is_set(type, value);
}

bool value_differs(const struct value_type *type, const void *a, const void *b)
{
    return type->differs ? type->differs(type, a, b) : memcmp(a, b, type->bytes) != 0;
}

void value_swap(const struct value_type *type, void *a, void *b)
{
    char *left = a, *right = b;
    for (size_t i = 0; i < type->bytes; i++) {
        char byte = left[i];
        left[i] = right[i];
        right[i] = byte;
    }
}

void value_free(const struct value_type *type, void *value)
{
    if (type->free) {
        type->free(value);
    }
}

/* ---- paths, and a group ---- */

/* Returns what is wrong, or NULL. */
static const char *replace_text(char **text, const char *by)
{
    char *copy = strdup(by);
    if (!copy) {
        return "out of memory";
    }
    free(*text);
    *text = copy;
    return NULL;
}

static const char *parse_path(struct value_reading *reading, const char *text, void *value)
{
    (void)reading;
    return *text == '/' ? replace_text(value, text) : "an absolute path is expected";
}

static const char *parse_socket_path(struct value_reading *reading, const char *text, void *value)
{
    const char *wrong = parse_path(reading, text, value);
    if (!wrong && strlen(text) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        return "a socket's path must be shorter than 108 bytes";
    }
    return wrong;
}

static void print_path(const struct value_type *type, const void *value, FILE *out)
{
    (void)type;
    config_line_print_value(*(char *const *)value, out);
}

static bool path_is_set(const struct value_type *type, const void *value)
{
    (void)type;
    return *(char *const *)value;
}

static bool texts_differ(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") != 0;
}

static bool paths_differ(const struct value_type *type, const void *a, const void *b)
{
    (void)type;
    return texts_differ(*(char *const *)a, *(char *const *)b);
}

static void free_path(void *value)
{
    free(*(char **)value);
}

const struct value_type value_type_PATH = {.name = "path",
                                           .bytes = sizeof(value_PATH),
                                           .parse = parse_path,
                                           .print = print_path,
                                           .is_set = path_is_set,
                                           .differs = paths_differ,
                                           .free = free_path};

const struct value_type value_type_SOCKET_PATH = {.name = "path",
                                                  .bytes = sizeof(value_SOCKET_PATH),
                                                  .parse = parse_socket_path,
                                                  .print = print_path,
                                                  .is_set = path_is_set,
                                                  .differs = paths_differ,
                                                  .free = free_path};

static const char *parse_group(struct value_reading *reading, const char *text, void *value)
{
    struct group_choice *choice = value;
    const struct group *group = getgrnam(text);
    (void)reading;
    if (!group) {
        return "there is no such group; create it, or name one that exists";
    }
    const char *wrong = replace_text(&choice->name, text);
    choice->gid = wrong ? choice->gid : group->gr_gid;
    return wrong;
}

static void print_group(const struct value_type *type, const void *value, FILE *out)
{
    (void)type;
    config_line_print_value(((const struct group_choice *)value)->name, out);
}

static bool group_is_set(const struct value_type *type, const void *value)
{
    (void)type;
    return ((const struct group_choice *)value)->name;
}

static bool groups_differ(const struct value_type *type, const void *a, const void *b)
{
    (void)type;
    return texts_differ(((const struct group_choice *)a)->name, ((const struct group_choice *)b)->name);
}

static void free_group(void *value)
{
    free(((struct group_choice *)value)->name);
}

const struct value_type value_type_GROUP = {.name = "group",
                                            .bytes = sizeof(value_GROUP),
                                            .parse = parse_group,
                                            .print = print_group,
                                            .is_set = group_is_set,
                                            .differs = groups_differ,
                                            .free = free_group};

static const char *parse_mode(struct value_reading *reading, const char *text, void *value)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);
    (void)reading;
    if (*text < '0' || *text > '7' || *end || mode > 0777) {
        return "an octal mode of at most 0777 is expected, such as 0660";
    }
    *(mode_t *)value = (mode_t)mode;
    return NULL;
}

static void print_mode(const struct value_type *type, const void *value, FILE *out)
{
    (void)type;
    (void)fprintf(out, "%04o", (unsigned)*(const mode_t *)value);
}

const struct value_type value_type_MODE = {
    .name = "octal mode", .bytes = sizeof(value_MODE), .parse = parse_mode, .print = print_mode};

/* ---- choices: a value is the number of its word ---- */

static const char *parse_choice(struct value_reading *reading, const char *text, void *value)
{
    const struct value_type *type = reading->type;
    for (unsigned i = 0; i < type->word_count; i++) {
        if (type->words[i] && strcmp(text, type->words[i]) == 0) {
            if (type->bytes == sizeof(bool)) {
                *(bool *)value = i;
            } else {
                *(unsigned *)value = i;
            }
            return NULL;
        }
    }
    (void)snprintf(reading->wrong, sizeof reading->wrong, "%s is expected", type->name);
    return reading->wrong;
}

static void print_choice(const struct value_type *type, const void *value, FILE *out)
{
    unsigned choice = type->bytes == sizeof(bool) ? *(const bool *)value : *(const unsigned *)value;
    (void)fputs(type->words[choice], out);
}

static bool charge_is_set(const struct value_type *type, const void *value)
{
    (void)type;
    return *(const enum charged_to *)value != CHARGE_UNSPECIFIED;
}

static const char *const flag_words[] = {"no", "yes"};
static const char *const pressure_words[] = {
    [PRESSURE_NONE] = "never", [PRESSURE_SOME] = "some", [PRESSURE_FULL] = "full"};
static const char *const charge_words[] = {[CHARGE_BROKER] = "broker", [CHARGE_CLIENT] = "client"};
static const char *const huge_words[] = {
    [HUGE_PAGES_NEVER] = "never", [HUGE_PAGES_TRY] = "try", [HUGE_PAGES_ALWAYS] = "always"};

#define CHOICE(type, all_words)                                                                                        \
    .bytes = sizeof(type), .words = (all_words), .word_count = sizeof(all_words) / sizeof *(all_words),                \
    .parse = parse_choice, .print = print_choice

const struct value_type value_type_FLAG = {.name = "yes or no", CHOICE(value_FLAG, flag_words)};
const struct value_type value_type_PRESSURE = {.name = "never, some or full", CHOICE(value_PRESSURE, pressure_words)};
const struct value_type value_type_CHARGE = {
    .name = "broker or client", CHOICE(value_CHARGE, charge_words), .is_set = charge_is_set};
const struct value_type value_type_HUGE = {.name = "never, try or always", CHOICE(value_HUGE, huge_words)};
