/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pressure-stall information: the kernel, or the service manager, tells when processes wait for memory for more than a
 * part of the time. See Documentation/accounting/psi.rst of Linux, and systemd's MEMORY_PRESSURE.md.
 */
#pragma once

#include <stdbool.h>

#include "proto/message.h"

/*
 * A descriptor that becomes ready when, within two seconds, processes were stalled for so many per cent of the time:
 * some of them, or (PRESSURE_FULL) all at once. Of this process's cgroup where that has the file, else of the whole
 * machine. Wait for POLLPRI. Negative errno; -ENOENT: the kernel has no such thing.
 */
int pressure_open(enum pressure level, unsigned percent);

/*
 * What the service manager wants watched (MEMORY_PRESSURE_WATCH, MEMORY_PRESSURE_WRITE). -ENODATA: it says
 * nothing; -ENODEV: that pressure shall not be watched.
 * *ret_is_stream: wait for POLLIN and read, instead of POLLPRI.
 */
int pressure_open_given(bool *ret_is_stream);

/*
 * What such a descriptor has to say now that it is ready: 1: there is pressure; 0: nothing; negative errno: it will
 * never say anything again (-EPIPE: its other end was closed; -ENODEV: its control group is gone), and would stay ready
 * for ever.
 */
int pressure_hear(int fd, bool is_stream);
