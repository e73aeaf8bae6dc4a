/* SPDX-License-Identifier: Apache-2.0 */
/* What `attach NAME --cgroup PATH` shares with `reserve`. */
#pragma once

#include "client/ctl/options.h"

/* A row of a table of options: the control groups of a reservation. */
#define CGROUP_OPTION                                                                                                  \
    {                                                                                                                  \
        "cgroup", '\0', "PATH", "its members: the processes in this control group, and below it", reserve_take_cgroup  \
    }

int reserve_take_cgroup(struct ctl_options *options, const char *value);

/* Whether the command line names one. */
bool reserve_has_cgroups(void);

/* Adds those that it names to a reservation. */
int reserve_attach(const struct ctl_options *options, int argc, char **argv);
