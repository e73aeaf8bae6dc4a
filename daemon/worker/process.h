/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker processes. They are processes and not threads: a thread that sleeps in the kernel and can't be killed keeps
 * its whole process from ending, with all of its sockets, and the next daemon from starting.
 *
 * All are forked by one small process, the nursery, which is forked before the daemon has opened anything: so a worker
 * has no descriptor but its channel and those of the jobs that it is doing. Each ends when the daemon's end of its
 * channel is closed.
 */
#pragma once

#include "daemon/worker/perform.h"

/* Forks the nursery. Returns the daemon's end of its channel, or negative errno. */
int process_start_nursery(const struct workshop *workshop);

/* Has it fork a worker. Returns the daemon's end of the worker's channel, or negative errno. */
int process_fork_worker(int nursery);

/*
 * On a worker's channel a packet of jobs, at most JOBS_PER_PACKET, goes one way, with the descriptors of those that
 * take one; the results come back in the same order, in one or more packets. A packet with a descriptor holds one
 * result, of a job that makes something. After a packet with a JOB_CLOSE in it comes another of one byte, when the
 * daemon has closed its own.
 */
