/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `membrokerctl plot` share. */
#pragma once

#include <stdio.h>

#include "proto/message.h"

/* Samples in the order of time; all of a time follow each other, the whole broker's first. */
struct plot_samples {
    struct sample_entry *at;
    size_t count;
    uint64_t since, until; /* the time that was asked for, in milliseconds since 1970 */
};

/* Writes a program for gnuplot that draws the samples, of RAM or of mapped files. `output`: the file, whose name says
 * the kind; NULL: SVG. False: no memory. */
bool plot_write(FILE *out, const struct plot_samples *samples, bool are_files, const char *output);

/* Whether gnuplot can make such a file, which its name says. */
bool plot_can_make(const char *output);
