/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl: the table of verbs, and the options that all of them take. */
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/socket_path.h"

struct verb {
    const char *name, *arguments, *help;
    const char *options; /* a line each; NULL: none of its own */
    ctl_verb *run;
};

static const char ping_options[] = "  -c, --count N            so many round trips (default 1)\n";

static const char hold_options[] =
    "  --location ram|mmap|auto where the memory lies (default ram)\n"
    "  --ttl TIME               for how long it is granted without renewal (default: the broker's)\n"
    "  --for TIME               give it back after this time (default: at Ctrl-C, or SIGTERM)\n"
    "  --touch                  write to every page\n"
    "  --no-renew               let it expire\n"
    "  --name NAME              the lease's name in listings\n"
    "  --prefault               the broker allocates every page before it grants\n"
    "  --huge never|try|always  huge pages\n"
    "  --numa-node NODE         bind the pages to a node\n"
    "  --interleave             let the pages alternate between the nodes\n"
    "  --wait TIME              wait in the queue for so long if the memory is not free (default: not at all)\n"
    "  --client NAME            connect under this name (default: membrokerctl hold)\n"
    "A SIZE is a whole number with a unit: B, K, M, G or T, in powers of 1024 (8G, 512M; 1536M, not 1.5G).\n"
    "A TIME is a whole number with a unit: ms, s, min or h.\n";

static const struct verb verbs[] = {
    {"status", "", "limits, what is used of them, and what has happened", NULL, status_main},
    {"sessions", "", "the client processes", NULL, sessions_main},
    {"leases", "", "who holds what, where, and for how long", NULL, leases_main},
    {"queue", "", "the requests that wait, in the order in which they will be served", NULL, queue_main},
    {"why", "[SESSION]", "why requests wait or were refused: which limit, who holds it, when it could come free", NULL,
     why_main},
    {"ping", "[OPTION]...", "round trips to the broker", ping_options, ping_main},
    {"revoke", "LEASE", "take a lease back", NULL, revoke_main},
    {"reload", "", "have the configuration read again, and say whether it is good", NULL, reload_main},
    {"audit", "", "compare the ledger with the kernel's own view", NULL, audit_main},
    {"hold", "SIZE [OPTION]...", "take a lease, keep it, and give it back", hold_options, hold_main},
};

enum { VERBS = sizeof verbs / sizeof *verbs };

static const char common_options[] =
    "  --json                   print JSON, for programs: see membrokerctl-json(7)\n"
    "  --socket PATH            the broker's socket (default: $MEMBROKER_SOCKET, the user's, the system's)\n"
    "  --system, --user         the system's broker, or the user's own\n"
    "  --timeout TIME           how long to wait for an answer (default 5s; for audit and reload 1min)\n"
    "  --version, --help\n";

static const char exit_statuses[] =
    "\nExit status: 0 done, 1 refused or failed, 2 usage, 3 there is no broker, or it does not answer.\n";

static void print_help(void)
{
    printf("Usage: membrokerctl [OPTION]... VERB [ARGUMENT]...\n"
           "Looks at and administers a running membrokerd.\n\nVerbs:\n");
    for (size_t i = 0; i < VERBS; i++) {
        char left[40];
        (void)snprintf(left, sizeof left, "%s %s", verbs[i].name, verbs[i].arguments);
        printf("  %-24s %s\n", left, verbs[i].help);
    }
    printf("\nOptions:\n%s", common_options);
    for (size_t i = 0; i < VERBS; i++) {
        if (verbs[i].options) {
            printf("\nOptions of %s:\n%s", verbs[i].name, verbs[i].options);
        }
    }
    printf("%s", exit_statuses);
}

static void print_verb_help(const struct verb *verb)
{
    printf("Usage: membrokerctl %s%s%s\n%s: %s.\n\nOptions:\n%s%s%s", verb->name, *verb->arguments ? " " : "",
           verb->arguments, verb->name, verb->help, verb->options ? verb->options : "", common_options, exit_statuses);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* ---- the options that all verbs take ---- */

static int take_json(struct ctl_options *options, const char *value)
{
    (void)value;
    options->json = true;
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

/* Where the user's own broker listens, whether there is one or not. */
static int take_user(struct ctl_options *options, const char *value)
{
    static char path[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    (void)value;
    if (!runtime || !*runtime) {
        return ctl_usage("--user finds the user's own broker by XDG_RUNTIME_DIR, which is not set: log in as that user "
                         "(su, sudo and cron do not set it), or say where the broker listens with --socket");
    }
    (void)snprintf(path, sizeof path, "%s/membroker/membroker.sock", runtime);
    return take_socket(options, path);
}

static int take_timeout(struct ctl_options *options, const char *value)
{
    return ctl_take_duration("--timeout", value, 1, &options->timeout_ms);
}

struct common_option {
    const char *name;
    bool has_value;
    int (*take)(struct ctl_options *options, const char *value);
};

/* Finds the option that an argument is; *ret_value: what follows its `=`, or NULL. */
static const struct common_option *find_common(const char *argument, const char **ret_value)
{
    static const struct common_option table[] = {
        {"--json", false, take_json}, {"--socket", true, take_socket},   {"--system", false, take_system},
        {"--user", false, take_user}, {"--timeout", true, take_timeout},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t length = strlen(table[i].name);
        if (strncmp(argument, table[i].name, length) != 0) {
            continue;
        }
        bool has_equals = table[i].has_value && argument[length] == '=';
        if (!argument[length] || has_equals) {
            *ret_value = has_equals ? argument + length + 1 : NULL;
            return &table[i];
        }
    }
    return NULL;
}

/* Takes them out of argv, wherever they stand. Returns how many arguments are left, or -1 after a message. */
static int take_common(int argc, char **argv, struct ctl_options *options)
{
    int left = 0;
    for (int i = 0; i < argc; i++) {
        const char *value;
        const struct common_option *option = find_common(argv[i], &value);
        if (!option) {
            argv[left++] = argv[i];
            continue;
        }
        if (option->has_value && !value && !(value = argv[++i])) {
            (void)ctl_usage("%s needs a value", option->name);
            return -1;
        }
        if (option->take(options, value) != CTL_DONE) {
            return -1;
        }
    }
    argv[left] = NULL;
    return left;
}

static bool is_asked(int argc, char **argv, const char *option)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], option) == 0) {
            return true;
        }
    }
    return false;
}

/* The exit status, unless standard output did not take what it was given: a full disk is not `done`. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    (void)fprintf(stderr, "membrokerctl: standard output can't be written; check that its disk is not full\n");
    return status == CTL_DONE ? CTL_REFUSED : status;
}

static int help(const struct verb *verb)
{
    if (verb) {
        print_verb_help(verb);
    } else {
        print_help();
    }
    return CTL_DONE;
}

static int run(const struct ctl_options *options, int argc, char **argv)
{
    const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    if (is_asked(argc, argv, "--help")) {
        return help(verb);
    }
    if (is_asked(argc, argv, "--version")) {
        printf("membrokerctl %s\n", MEMBROKER_VERSION);
        return CTL_DONE;
    }
    if (argc < 2) {
        return ctl_usage("a verb is missing");
    }
    return verb ? verb->run(options, argc - 1, argv + 1) : ctl_usage("there is no verb `%s`", argv[1]);
}

int main(int argc, char **argv)
{
    struct ctl_options options = {0};
    (void)setlocale(LC_CTYPE, ""); /* or a table shows every letter beyond ASCII as its bytes */
    if (is_asked(argc, argv, "--json")) {
        ctl_fail_as_json(); /* also what is wrong with the options before it */
    }
    argc = take_common(argc, argv, &options);
    return argc < 0 ? CTL_USAGE : finish(run(&options, argc, argv));
}
