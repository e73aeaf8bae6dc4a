/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl: the table of verbs. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/options.h"

struct verb {
    const char *name, *arguments, *help;
    const struct ctl_option_list *options; /* NULL: none of its own */
    const char *notes;                     /* below them; NULL: none */
    ctl_verb *run;
};

#define SIZES "A SIZE is a whole number with a unit: B, K, M, G or T, in powers of 1024 (8G, 512M; 1536M, not 1.5G).\n"

static const char sizes[] = SIZES;
static const char units[] = SIZES "A TIME is a whole number with a unit: ms, s, min or h.\n";

#define TIMES "A TIME is how long ago (10min), a time of today (15:00), or a date and a time (\"2026-11-26 15:00\").\n"

static const char times[] = SIZES TIMES;
static const char times_alone[] = TIMES;
static const char top_notes[] = "A PAGE is users, classes, sessions, leases, queue or blocks.\n";

static const struct verb verbs[] = {
    {"status", "", "limits, what is used of them, and what has happened", NULL, NULL, status_main},
    {"sessions", "[OPTION]...", "the client processes", &selection_options, sizes, sessions_main},
    {"leases", "[OPTION]...", "who holds what, where, and for how long", &selection_options, sizes, leases_main},
    {"usage", "[OPTION]...", "what users, groups, classes and reservations have, may have, and had at most",
     &selection_options_without_client, sizes, usage_main},
    {"events", "[OPTION]...", "what happened: grants, refusals, endings, revocations, restarts", &events_options, times,
     events_main},
    {"top", "[PAGE] [OPTION]...", "a live screen: who has the memory, and since when; ? in it lists its keys",
     &top_options, top_notes, top_main},
    {"plot", "-o FILE [OPTION]...", "draw what the classes held, as SVG, PNG or PDF", &plot_options, times_alone,
     plot_main},
    {"metrics", "[OPTION]...", "figures for a monitoring system, as OpenMetrics", &metrics_options, NULL, metrics_main},
    {"queue", "[OPTION]...", "the requests that wait, in the order in which they will be served", &selection_options,
     sizes, queue_main},
    {"why", "[SESSION]", "why requests wait or were refused: which limit, who holds it, when it could come free", NULL,
     NULL, why_main},
    {"ping", "[OPTION]...", "round trips to the broker", &ping_options, NULL, ping_main},
    {"revoke", "LEASE", "take a lease back", NULL, NULL, revoke_main},
    {"reload", "", "have the configuration read again, and say whether it is good", NULL, NULL, reload_main},
    {"audit", "", "compare the ledger with the kernel's own view", NULL, NULL, audit_main},
    {"reservations", "[OPTION]...", "what is reserved, for which control groups, and what of it is used",
     &selection_options_without_client, sizes, reservations_main},
    {"reserve", "NAME --bytes SIZE [OPTION]...",
     "guarantee memory to the processes in control groups, and limit them to it", &reserve_options, units,
     reserve_main},
    {"unreserve", "NAME", "give a reservation up, and revoke everything in it", NULL, NULL, unreserve_main},
    {"suspend", "NAME", "let the deadlines of a reservation's leases stand still while its job is suspended", NULL,
     NULL, suspend_main},
    {"resume", "NAME", "let them go on", NULL, NULL, resume_main},
    {"blocks", "[PREFIX] [OPTION]...",
     "the blocks that were published: whose, how large, and how many have them; or what happens to them",
     &blocks_options, sizes, blocks_main},
    {"publish", "FILE [OPTION]...", "make a block with the bytes of a file; - is standard input", &publish_options,
     units, publish_main},
    {"attach", "NAME [OPTION]...",
     "write a block to standard output; with --cgroup, add control groups to a reservation", &attach_options, NULL,
     attach_main},
    {"unpublish", "NAME... [OPTION]...", "take their names from blocks; the bytes of each go with its last view",
     &unpublish_options, NULL, unpublish_main},
    {"boards", "[OPTION]...", "how many objects users have, and in how much memory", &selection_options_without_client,
     sizes, boards_main},
    {"put", "NAME [OPTION]...", "keep standard input as an object, in the place of the one that has the name",
     &put_options, NULL, put_main},
    {"get", "NAME [OPTION]...", "write an object to standard output", &get_options, NULL, get_main},
    {"remove", "NAME... [OPTION]...", "end objects", &remove_options, NULL, remove_main},
    {"slurm-gres", "[OPTION]...", "the line of Slurm's gres.conf for this node", &slurm_gres_options, NULL,
     slurm_gres_main},
    {"hold", "SIZE [OPTION]...", "take a lease, keep it, and give it back", &hold_options, units, hold_main},
};

enum { VERBS = sizeof verbs / sizeof *verbs };

static const char exit_statuses[] =
    "\nExit status: 0 done, 1 refused or failed, 2 usage, 3 there is no broker, or it does not answer.\n";

static void print_own_options(const struct verb *verb)
{
    if (verb->options) {
        options_print(verb->options);
    }
    if (verb->notes) {
        printf("%s", verb->notes);
    }
}

/* Of a verb, and of those behind it that have the same ones. */
static void print_options_of(size_t at)
{
    printf("\nOptions of %s", verbs[at].name);
    for (size_t i = at + 1; i < VERBS && verbs[i].options == verbs[at].options; i++) {
        printf(", %s", verbs[i].name);
    }
    printf(":\n");
    print_own_options(&verbs[at]);
}

static void print_help(void)
{
    printf("Usage: membrokerctl [OPTION]... VERB [ARGUMENT]...\n"
           "Looks at and administers a running membrokerd.\n\nVerbs:\n");
    for (size_t i = 0; i < VERBS; i++) {
        char left[40];
        (void)snprintf(left, sizeof left, "%s %s", verbs[i].name, verbs[i].arguments);
        printf("  %-24s %s\n", left, verbs[i].help);
    }
    printf("\nOptions:\n");
    options_print(&options_common);
    for (size_t i = 0; i < VERBS; i++) {
        bool is_said = i > 0 && verbs[i].options == verbs[i - 1].options;
        if (verbs[i].options && !is_said) {
            print_options_of(i);
        }
    }
    printf("%s", exit_statuses);
}

static void print_verb_help(const struct verb *verb)
{
    bool is_said = strstr(verb->arguments, "[OPTION]...");
    printf("Usage: membrokerctl %s%s%s%s\n%s: %s.\n\nOptions:\n", verb->name, *verb->arguments ? " " : "",
           verb->arguments, is_said ? "" : " [OPTION]...", verb->name, verb->help);
    print_own_options(verb);
    options_print(&options_common);
    printf("%s", exit_statuses);
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

static const struct ctl_option_list *own_options(const char *name)
{
    const struct verb *verb = find_verb(name);
    if (verb) {
        ctl_fail_in(verb->name);
    }
    return verb ? verb->options : NULL;
}

/* Whether there is --json, so that a wrong option before it is told as JSON as well. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

/* The exit status; a failure if standard output could not be written, for example to a full disk. */
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
    if (options->ask == CTL_ASK_HELP) {
        return help(verb);
    }
    if (options->ask == CTL_ASK_VERSION) {
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
    if (wants_json(argc, argv)) {
        ctl_fail_as_json();
    }
    argc = options_take(&options, argc, argv, own_options);
    return argc < 0 ? CTL_USAGE : finish(run(&options, argc, argv));
}
