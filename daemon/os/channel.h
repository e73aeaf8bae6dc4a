/* SPDX-License-Identifier: Apache-2.0 */
/* Packets with any number of descriptors, between processes of the broker: a SOCK_SEQPACKET socket pair. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { CHANNEL_DESCRIPTORS_MAX = 64 }; /* in one packet; the kernel allows 253 */

/* Both ends are close-on-exec. 0 or negative errno. */
int channel_open(int ret[2]);

/* Sends a packet. The descriptors stay the caller's. -EAGAIN: not now, unless `wait`. */
int channel_send(int channel, const void *packet, size_t bytes, const int *descriptors, size_t count, bool wait);

/*
 * Receives a packet and at most CHANNEL_DESCRIPTORS_MAX descriptors, which are the caller's. Returns its length; 0: the
 * other end is closed; -EAGAIN: nothing came, unless `wait`; -EMFILE: descriptors were lost.
 */
ssize_t channel_receive(int channel, void *packet, size_t bytes, int *ret_descriptors, size_t *ret_count, bool wait);
