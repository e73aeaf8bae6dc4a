/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each of the daemon's descriptors of segments and control pages is for. An audit reports those that are for
 * nothing. A number is noted before its descriptor may stay open, and forgotten before it is closed. On the loop.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum descriptor_use {
    DESCRIPTOR_UNKNOWN, /* no segment's and no control page's */
    DESCRIPTOR_SEGMENT,
    DESCRIPTOR_CONTROL,
    DESCRIPTOR_ASKED, /* a control page's: a worker looks at the page, and may have emptied it */
    DESCRIPTOR_BOARD,
    DESCRIPTOR_STOCK,   /* a blank memfd, which must be empty */
    DESCRIPTOR_PASSING, /* a copy in a frame that waits to be sent, or one that a worker is to close */
};

struct descriptor_uses {
    uint8_t *of; /* by number */
    size_t count;
    uint64_t used; /* of known use */
    int ceiling;   /* clients and segments get descriptors below it; those above are kept for the daemon's own files */
};

/* For a daemon that may have so many descriptors open. 0 or -ENOMEM. */
int descriptor_uses_init(struct descriptor_uses *uses, uint64_t limit);
void descriptor_uses_deinit(struct descriptor_uses *uses);

/* Negative numbers are no descriptors: nothing is noted. */
void descriptor_note(struct descriptor_uses *uses, int fd, enum descriptor_use use);
void descriptor_note_other(struct descriptor_uses *uses, int fd, enum descriptor_use use); /* it has one already */
void descriptor_forget(struct descriptor_uses *uses, int fd);
int descriptor_close(struct descriptor_uses *uses, int fd); /* and forgets it; returns -EBADF */
enum descriptor_use descriptor_use(const struct descriptor_uses *uses, int fd);
