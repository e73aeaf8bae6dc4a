/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control page: one shared mapping per session that the daemon writes and the client can only
 * read (the memfd is sealed against any further writable mapping). It tells the client of a lost
 * lease with one load, without a message.
 *
 * Each lease of the session has a slot. The slot's generation grows by one when a lease takes the
 * slot and by one when the lease ends, so it is odd while a lease lives in it; a grant names slot and
 * generation, and the lease is alive exactly as long as the slot still holds that generation. The
 * reason is stored before the generation moves on (release order), so whoever sees the new generation
 * sees why. A reused slot shows the reason of the newest lease that ended in it; the client hears of
 * each end by event as well.
 *
 * The file is sparse: only pages with slots in use exist.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define CONTROL_PAGE_MAGIC UINT64_C(0x31454741504c544d) /* "MTLPAGE1" as little-endian bytes */

enum {
    CONTROL_PAGE_VERSION = 1,
    CONTROL_PAGE_BYTES = 256 * 1024,
    CONTROL_PAGE_SLOTS = CONTROL_PAGE_BYTES / 16 - 4,
};

struct control_slot {
    _Atomic uint64_t generation;
    _Atomic uint32_t end_reason; /* enum end_reason of the newest lease that ended here */
    uint32_t reserved;
};

struct control_page {
    uint64_t magic;
    uint32_t version;
    uint32_t slots;
    _Atomic uint32_t pressure; /* 0: none */
    uint32_t reserved[11];
    struct control_slot slot[CONTROL_PAGE_SLOTS];
};

_Static_assert(sizeof(struct control_slot) == 16, "the layout is shared between programs");
_Static_assert(sizeof(struct control_page) == CONTROL_PAGE_BYTES, "the layout is shared between programs");
