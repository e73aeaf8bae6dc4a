/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/options.h"

#include <assert.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/users.h"
#include "client/socket_path.h"

/* ---- the options that every verb takes ---- */

static int take_json(struct ctl_options *options, const char *value)
{
    (void)value;
    options->json = true;
    ctl_fail_as_json();
    return CTL_DONE;
}

static int take_socket(struct ctl_options *options, const char *value)
{
    options->socket = value;
    return CTL_DONE;
}

static int take_system(struct ctl_options *options, const char *value)
{
    (void)value;
    return take_socket(options, SOCKET_PATH_SYSTEM);
}

/* The socket of the user's own broker, whether there is one or not. */
int options_take_user(struct ctl_options *options, const char *value)
{
    static char path[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    (void)value;
    if (!runtime || !*runtime) {
        return ctl_usage("--user finds the user's own broker by XDG_RUNTIME_DIR, which is not set: log in as that user "
                         "(su, sudo and cron do not set it), or name the broker's socket with --socket");
    }
    (void)snprintf(path, sizeof path, "%s/membroker/membroker.sock", runtime);
    return take_socket(options, path);
}

static int take_numeric(struct ctl_options *options, const char *value)
{
    (void)options;
    (void)value;
    users_stay_numbers();
    return CTL_DONE;
}

static int take_timeout(struct ctl_options *options, const char *value)
{
    return ctl_take_duration("--timeout", value, 1, &options->timeout_ms);
}

static int take_version(struct ctl_options *options, const char *value)
{
    (void)value;
    options->ask = CTL_ASK_VERSION;
    return CTL_DONE;
}

static int take_help(struct ctl_options *options, const char *value)
{
    (void)value;
    options->ask = CTL_ASK_HELP;
    return CTL_DONE;
}

static const struct ctl_option common[] = {
    {"json", '\0', NULL, "print JSON, for programs: see membrokerctl-json(7)", take_json},
    {"socket", '\0', "PATH", "the broker's socket (default: $MEMBROKER_SOCKET, the user's, the system's)", take_socket},
    {"system", '\0', NULL, "ask the system's broker", take_system},
    {"user", '\0', NULL, "ask the user's own broker", options_take_user},
    {"numeric", '\0', NULL, "look up no user's name", take_numeric},
    {"timeout", '\0', "TIME", "how long to wait for an answer (default 5s; for audit and reload 1min)", take_timeout},
    {"version", '\0', NULL, "print the version", take_version},
    {"help", 'h', NULL, "print this help; behind a verb, that verb's", take_help},
};

enum { COMMON = sizeof common / sizeof *common, OWN_MOST = 16, MOST = COMMON + OWN_MOST };

const struct ctl_option_list options_common = {common, COMMON};

static bool may_lack_value(const struct ctl_option *option)
{
    return option->argument && option->argument[0] == '[';
}

void options_print(const struct ctl_option_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct ctl_option *option = &list->options[i];
        char left[40], letter[8] = "";
        if (option->letter) {
            (void)snprintf(letter, sizeof letter, "-%c, ", option->letter);
        }
        (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name,
                       option->argument && !may_lack_value(option) ? " " : "",
                       option->argument ? option->argument : "");
        printf("  %-24s %s\n", left, option->help);
    }
}

/* ---- reading ---- */

enum { POSITIONAL = 1, FIRST_LONG = 256 }; /* what getopt_long() returns: else a letter, '?' or ':' */

/* What getopt_long() knows: the common options, and once the verb was read, its own. */
struct reading {
    const struct ctl_option *options[MOST];
    struct option longs[MOST + 1];
    char letters[2 + 2 * MOST + 1];
    size_t count, letter_count;
    bool has_own;
};

static void add_letter(struct reading *reading, const struct ctl_option *option)
{
    reading->letters[reading->letter_count++] = option->letter;
    if (option->argument) {
        reading->letters[reading->letter_count++] = ':';
    }
}

/* That of the option with this name, or behind all. */
static size_t find_place(const struct reading *reading, const char *name)
{
    size_t at = 0;
    while (at < reading->count && strcmp(reading->options[at]->name, name) != 0) {
        at++;
    }
    return at;
}

static void add_options(struct reading *reading, const struct ctl_option_list *list)
{
    assert(reading->count + list->count <= MOST);
    for (size_t i = 0; i < list->count; i++) {
        const struct ctl_option *option = &list->options[i];
        int has_argument = may_lack_value(option) ? optional_argument
                           : option->argument     ? required_argument
                                                  : no_argument;
        size_t at = find_place(reading, option->name);
        reading->longs[at] = (struct option){option->name, has_argument, NULL, FIRST_LONG + (int)at};
        reading->options[at] = option;
        reading->count += at == reading->count;
        if (option->letter) {
            add_letter(reading, option);
        }
    }
}

static const struct ctl_option *find_option(const struct reading *reading, int found)
{
    size_t i = 0;
    if (found >= FIRST_LONG) {
        return reading->options[found - FIRST_LONG];
    }
    while (reading->options[i]->letter != found) {
        i++; /* getopt_long() knows only letters that an option has */
    }
    return reading->options[i];
}

/* `verb` NULL: it was not read yet. */
static int fail_unknown(const struct reading *reading, const char *verb, char **argv)
{
    const char letter[] = {'-', (char)optopt, '\0'};
    const char *option = optopt > 0 && optopt < FIRST_LONG ? letter : argv[optind - 1];
    if (!verb) {
        return ctl_usage("there is no option `%s` before a verb; the options of a verb stand behind it", option);
    }
    return reading->has_own ? ctl_usage("%s has no option %s", verb, option)
                            : ctl_usage("%s takes no argument `%s`", verb, option);
}

static int take_found(const struct reading *reading, struct ctl_options *options, int found, const char *verb,
                      char **argv)
{
    if (found == '?') {
        return fail_unknown(reading, verb, argv);
    }
    if (found == ':') {
        return ctl_usage("%s needs a value", argv[optind - 1]);
    }
    return find_option(reading, found)->take(options, optarg);
}

int options_take(struct ctl_options *options, int argc, char **argv,
                 const struct ctl_option_list *(*own_of)(const char *verb))
{
    struct reading reading = {.letters = "-:",
                              .letter_count = 2}; /* everything in its order, also with POSIXLY_CORRECT */
    int left = 1, found;
    add_options(&reading, &options_common);
    opterr = 0;
    while (options->ask == CTL_ASK_VERB &&
           (found = getopt_long(argc, argv, reading.letters, reading.longs, NULL)) >= 0) {
        const char *verb = left > 1 ? argv[1] : NULL;
        if (found == POSITIONAL) {
            const struct ctl_option_list *own = verb ? NULL : own_of(optarg);
            if (own) {
                reading.has_own = true;
                add_options(&reading, own);
            }
            argv[left++] = optarg;
        } else if (take_found(&reading, options, found, verb, argv) != CTL_DONE) {
            return -1;
        }
    }
    while (optind < argc) {
        argv[left++] = argv[optind++];
    }
    argv[left] = NULL;
    return left;
}
