/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl: the table of verbs, and the options that all of them take. */
#include <stdio.h>
#include <string.h>

#include "client/ctl/ctl.h"

struct verb {
    const char *name, *arguments, *help;
    ctl_verb *run;
};

static const struct verb verbs[] = {
    {"status", "", "limits, what is used of them, and what has happened", status_main},
    {"sessions", "", "the client processes", sessions_main},
    {"leases", "", "who holds what, where, and for how long", leases_main},
    {"ping", "", "a round trip to the broker", ping_main},
    {"revoke", "LEASE", "take a lease back", revoke_main},
    {"audit", "", "hold the ledger against the kernel's own view", audit_main},
    {"hold", "SIZE [OPTION]...", "take a lease, keep it, and give it back", hold_main},
};

enum { VERBS = sizeof verbs / sizeof *verbs };

static void print_help(void)
{
    printf("Usage: membrokerctl [--json] [--socket PATH] VERB [ARGUMENT]...\n"
           "Looks at and administers a running membrokerd.\n\nVerbs:\n");
    for (size_t i = 0; i < VERBS; i++) {
        char left[40];
        (void)snprintf(left, sizeof left, "%s %s", verbs[i].name, verbs[i].arguments);
        printf("  %-24s %s\n", left, verbs[i].help);
    }
    printf("\nOptions:\n"
           "  --json                   print JSON, for programs; sizes are bytes, an absent limit is null\n"
           "  --socket PATH            the broker's socket (default: $MEMBROKER_SOCKET, the user's, the system's)\n"
           "  --version, --help\n"
           "\nOptions of hold:\n"
           "  --location ram|mmap|auto where the memory lies (default ram)\n"
           "  --ttl TIME               for how long it is granted without renewal (default: the broker's)\n"
           "  --for TIME               give it back after this time (default: at SIGINT or SIGTERM)\n"
           "  --touch                  write to every page\n"
           "  --no-renew               let it expire\n"
           "  --name NAME              as it is listed\n"
           "  --prefault               the broker allocates every page before it grants\n"
           "  --huge never|try|always  huge pages\n"
           "  --numa-node NODE         bind the pages to a node\n"
           "\nExit status: 0 done, 1 refused by the broker, 2 usage, 3 no daemon.\n");
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

int main(int argc, char **argv)
{
    struct ctl_options options = {0};
    argc = take_common(argc, argv, &options);
    if (argc < 0) {
        return CTL_USAGE;
    }
    if (is_asked(argc, argv, "--help")) {
        print_help();
        return CTL_DONE;
    }
    if (is_asked(argc, argv, "--version")) {
        printf("membrokerctl %s\n", MEMBROKER_VERSION);
        return CTL_DONE;
    }
    if (argc < 2) {
        return ctl_usage("a verb is missing");
    }
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, argv[1]) == 0) {
            return verbs[i].run(&options, argc - 1, argv + 1);
        }
    }
    return ctl_usage("there is no verb `%s`", argv[1]);
}
