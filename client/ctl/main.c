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
    "  --for TIME               give it back after this time (default: at SIGINT or SIGTERM)\n"
    "  --touch                  write to every page\n"
    "  --no-renew               let it expire\n"
    "  --name NAME              as it is listed\n"
    "  --prefault               the broker allocates every page before it grants\n"
    "  --huge never|try|always  huge pages\n"
    "  --numa-node NODE         bind the pages to a node\n"
    "  --interleave             let the pages alternate between the nodes\n"
    "  --wait TIME              wait so long in the queue where the memory is not free\n"
    "  --client NAME            connect under this name (default: membrokerctl)\n";

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
    {"audit", "", "hold the ledger against the kernel's own view", NULL, audit_main},
    {"hold", "SIZE [OPTION]...", "take a lease, keep it, and give it back", hold_options, hold_main},
};

enum { VERBS = sizeof verbs / sizeof *verbs };

static const char common_options[] =
    "  --json                   print JSON, for programs; sizes are bytes, an absent limit is null\n"
    "  --socket PATH            the broker's socket (default: $MEMBROKER_SOCKET, the user's, the system's)\n"
    "  --system, --user         the system's broker, or the user's own\n"
    "  --version, --help\n";

static const char exit_statuses[] = "\nExit status: 0 done, 1 refused by the broker, 2 usage, 3 no daemon.\n";

static void print_help(void)
{
    printf("Usage: membrokerctl [--json] [--socket PATH | --system | --user] VERB [ARGUMENT]...\n"
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

/* Where the user's own broker listens, whether there is one or not. */
static const char *user_socket(void)
{
    static char path[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    (void)snprintf(path, sizeof path, "%s/membroker/membroker.sock", runtime ? runtime : "");
    return path;
}

/* Takes the common options out of argv, wherever they stand. Returns how many arguments are left, or -1 after a
 * message. */
static int take_common(int argc, char **argv, struct ctl_options *options)
{
    int left = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options->json = true;
        } else if (strncmp(argv[i], "--socket=", 9) == 0) {
            options->socket = argv[i] + 9;
        } else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc) {
            options->socket = argv[++i];
        } else if (strcmp(argv[i], "--system") == 0) {
            options->socket = SOCKET_PATH_SYSTEM;
        } else if (strcmp(argv[i], "--user") == 0) {
            options->socket = user_socket();
        } else if (strcmp(argv[i], "--socket") == 0) {
            (void)ctl_usage("--socket needs a path");
            return -1;
        } else {
            argv[left++] = argv[i];
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
    (void)fprintf(stderr, "membrokerctl: standard output can't be written; see that there is room for it\n");
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
    argc = take_common(argc, argv, &options);
    return argc < 0 ? CTL_USAGE : finish(run(&options, argc, argv));
}
