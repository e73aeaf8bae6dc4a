/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that do the same with each of several names. */
#pragma once

#include "client/ctl/ctl.h"

/* What is done with one of them. Returns the exit status, after a message if it failed. */
typedef int name_work(const struct ctl_options *options, const char *name);

/* Whether these are arguments of a verb that takes names of `of`, such as "a block". False after a usage error, which
 * `list`, a sentence that begins with a semicolon, says how to mend; "": nothing lists them. */
bool names_are_valid(int argc, char **argv, const char *of, const char *list);

/*
 * Does the work with each name, also behind one that failed, unless there is no broker. Returns the exit status of the
 * first that failed, or CTL_DONE.
 */
int names_each(const struct ctl_options *options, int argc, char **argv, name_work *work);

/* Says that it is done: "block weights: unpublished", or with --json an object with `done` and the name on a line. */
int names_done(const struct ctl_options *options, const char *noun, const char *name, const char *done);
