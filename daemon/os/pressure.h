/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pressure-stall information: the kernel, or the service manager, tells when processes wait for memory for more than a
 * part of the time. See Documentation/accounting/psi.rst of Linux, and systemd's MEMORY_PRESSURE.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/message.h"

/* Where a trigger was set. */
struct pressure_place {
    char path[4096];
    int group_error; /* negative errno: why it is not the own control group's file, though there is one; else 0 */
};

/*
 * A descriptor that becomes ready when, within two seconds, processes were stalled for so many per cent of the time:
 * some of them, or (PRESSURE_FULL) all at the same time. It watches this process's control group if that has the file,
 * else the whole machine; *ret says which. Wait for POLLPRI. Negative errno; -ENOENT: the kernel has no such thing.
 */
int pressure_open(enum pressure level, unsigned percent, struct pressure_place *ret);

/*
 * What confirms a trigger: the file's own total of the time that was lost. (A kernel was seen to tell of pressure in
 * hours in which that grew by less than a millisecond.) Samples are to be taken once a second.
 */
enum { PRESSURE_SAMPLES = 3 }; /* the oldest is more than a window of two seconds back */

struct pressure_meter {
    enum pressure level;
    uint64_t least_us;                 /* the growth in a window that the trigger stands for */
    uint64_t totals[PRESSURE_SAMPLES]; /* microseconds, the oldest first */
    size_t samples;
};

struct pressure_meter pressure_meter(enum pressure level, unsigned percent);
void pressure_sample(struct pressure_meter *meter, int fd);

/* Whether so much time was lost lately; true if the file does not tell. */
bool pressure_is_confirmed(const struct pressure_meter *meter, int fd);

/*
 * What the service manager wants watched (MEMORY_PRESSURE_WATCH, MEMORY_PRESSURE_WRITE). -ENODATA: it says
 * nothing; -ENODEV: that pressure shall not be watched.
 * *ret_is_stream: wait for POLLIN and read, instead of POLLPRI. *ret_meter: what confirms it, if it is no stream.
 */
int pressure_open_given(bool *ret_is_stream, struct pressure_meter *ret_meter);

/*
 * What such a descriptor tells when it is ready. 1: there is pressure; 0: there is none; negative errno: it never tells
 * anything again and stays ready (-EPIPE: its other end was closed; -ENODEV: its control group is gone).
 */
int pressure_hear(int fd, bool is_stream);
