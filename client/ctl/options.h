/* SPDX-License-Identifier: Apache-2.0 */
/* Options: those that every verb takes, and a verb's own. One table feeds the reading of the command line and --help.
 */
#pragma once

#include <stddef.h>

#include "client/ctl/ctl.h"

struct ctl_option {
    const char *name;     /* without the dashes */
    char letter;          /* of its short form; '\0': it has none */
    const char *argument; /* the name of its value; NULL: it takes none; "[=NAME]": it may lack it */
    const char *help;
    /* Returns CTL_DONE, or CTL_USAGE after a message. */
    int (*take)(struct ctl_options *options, const char *value);
};

struct ctl_option_list {
    const struct ctl_option *options;
    size_t count;
};

/* A verb's own: one that has the name of a common one takes its place. */
extern const struct ctl_option_list hold_options, ping_options, reserve_options, attach_options, unpublish_options,
    selection_options, selection_options_without_client, slurm_gres_options, metrics_options, events_options,
    top_options, plot_options, blocks_options, publish_options, put_options, get_options, remove_options;

/* What --user without a value does: it asks the user's own broker. */
int options_take_user(struct ctl_options *options, const char *value);

/* Those that every verb takes. */
extern const struct ctl_option_list options_common;

/*
 * Reads the options, wherever they stand, and moves the verb and its arguments to argv[1] and behind. `own_of` finds
 * the options of a verb: NULL if it has none. Reading ends at --help and --version. Returns how many arguments are
 * left, or -1 after a message.
 */
int options_take(struct ctl_options *options, int argc, char **argv,
                 const struct ctl_option_list *(*own_of)(const char *verb));

/* Prints a line for each option. */
void options_print(const struct ctl_option_list *list);
