/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control pages: shared mappings that the daemon writes and the client can only read (the memfds are sealed against
 * any further writable mapping). They tell the client of a lost lease with one load, without a message.
 *
 * Each lease of the session has a slot. The slot's generation grows by one when a lease takes the
 * slot and by one when the lease ends, so it is odd while a lease lives in it; a grant names slot and
 * generation, and the lease is alive exactly as long as the slot still holds that generation. The
 * reason is stored before the generation moves on (release order), so a client that sees the new generation
 * sees the reason. A reused slot shows the reason of the newest lease that ended in it; the client hears of
 * each end by event as well.
 *
 * A session begins with one small page, and gets another of twice the size when its leases need more slots than it has.
 * A page has the slots from `first_slot` on. Every page of memory exists from the start: there is none that a reader
 * could make the kernel allocate.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define CONTROL_PAGE_MAGIC UINT64_C(0x31454741504c544d) /* "MTLPAGE1" as little-endian bytes */

enum {
    CONTROL_PAGE_VERSION = 1,
    CONTROL_PAGES_MAX = 7, /* of a session */
    CONTROL_HEADER_BYTES = 64,
    CONTROL_SLOT_BYTES = 16,
    CONTROL_WHOLE_BYTES = 256 * 1024, /* all of a session's pages; what protocol 1 is told, and may map */
    CONTROL_SLOTS_MAX = (CONTROL_WHOLE_BYTES - CONTROL_HEADER_BYTES) / CONTROL_SLOT_BYTES,
};

struct control_slot {
    _Atomic uint64_t generation;
    _Atomic uint32_t end_reason; /* enum end_reason of the newest lease that ended here */
    uint32_t reserved;
};

struct control_page {
    uint64_t magic;
    uint32_t version;
    uint32_t slots;            /* of this page */
    _Atomic uint32_t pressure; /* 0: none; in the first page only */
    uint32_t first_slot;
    uint32_t reserved[10];
    struct control_slot slot[];
};

_Static_assert(sizeof(struct control_slot) == CONTROL_SLOT_BYTES, "the layout is shared between programs");
_Static_assert(sizeof(struct control_page) == CONTROL_HEADER_BYTES, "the layout is shared between programs");

/* How many slots a page of this size has. */
static inline uint32_t control_page_slots(uint64_t bytes)
{
    return (uint32_t)((bytes - CONTROL_HEADER_BYTES) / CONTROL_SLOT_BYTES);
}
