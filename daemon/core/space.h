/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which granules of a board. The parts of a board are cut into spans, free or taken; free neighbours are one
 * span. The smallest free span that is large enough serves a request, in a bounded number of steps, however many spans
 * there are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Free spans of each size below the last bin's; those of that size and above are in the last one. */
enum { SPACE_BINS = 576, SPACE_WORDS = SPACE_BINS / 64 };

struct span {
    uint32_t position, granules;
    bool is_free;
    struct span *before, *after; /* in the same part; NULL: it is the first, the last one there */
    LIST_ENTRY(span) in_bin;     /* if it is free */
};

LIST_HEAD(span_list, span);

struct space {
    struct span_list bins[SPACE_BINS];
    uint64_t filled[SPACE_WORDS]; /* which bins have spans */
};

void space_init(struct space *space);

/* A part that is free. The span stays the first one of its part until space_remove_part(). */
void space_add_part(struct space *space, struct span *first);

/* Frees all spans of a part. NULL is allowed. */
void space_remove_part(struct space *space, struct span *first);

/* Takes a span of exactly so many granules, fewer than SPACE_BINS. NULL: there is none, or (*ret_no_memory) no memory
 * for the table. */
struct span *space_take(struct space *space, uint32_t granules, bool *ret_no_memory);

void space_give(struct space *space, struct span *span);

/* Takes a span of so many granules out of one that is given up for it and of what is free beside that. NULL: they are
 * too few, or (*ret_no_memory) no memory for the table; then the span is taken as before. */
struct span *space_retake(struct space *space, struct span *span, uint32_t granules, bool *ret_no_memory);
