/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the broker when a scrape wants it, once for all scrapes that wait: so that many of them cost the broker no more
 * than one does. One thread collects; any thread may look.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/metrics/exposition.h"

struct collector_options {
    const char *socket;  /* NULL: the default look-up */
    uint32_t timeout_ms; /* for all answers of one collection together */
    uint32_t users;      /* that have metrics of their own, at most */
};

/* What came of a collection; owned by whoever got it. */
struct collection {
    char *text[2]; /* by format; NULL: the broker did not answer, and: */
    size_t length[2];
    char *reason;
};

void collection_free(struct collection *collection);

/* Monotonic time in milliseconds. */
uint64_t collector_now(void);

/* Collects whenever somebody wants it, and then calls `on_done`. Does not return. */
_Noreturn void collector_run(const struct collector_options *options, void (*on_done)(void));

/* Asks for a collection. */
void collector_want(void);

/*
 * What a scrape that arrived then is answered with: a copy of the text, or of the reason if `*ret_failed`, which the
 * caller frees. NULL: there is nothing recent enough (or no memory for it); want a collection.
 */
char *collector_answer(uint64_t arrived, enum exposition_format format, size_t *ret_length, bool *ret_failed);
