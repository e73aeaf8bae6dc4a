/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that borrow and give back without a pause, for a while. */
#pragma once

enum { THROUGHPUT_CLIENTS = 64, THROUGHPUT_BYTES = 65536 };

/* Calls the verb in so many threads for SECONDS, each with its context; returns the calls a second of all of them. */
double throughput_of(int threads, unsigned seconds, void (*verb)(void *context), void *const *contexts);
