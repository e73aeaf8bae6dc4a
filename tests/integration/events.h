/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the history, for tests that share the fixture of workspaces.h. */
#pragma once

#include "proto/base/cleanup.h"
#include "tests/integration/workspaces.h"

enum { EVENTS_MOST = 2000 };

static struct event_entry events[EVENTS_MOST];
static size_t event_count;

/* All that is shown after a number. */
static inline void read_after(const struct fixture *of, uint64_t after, bool settled)
{
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(of);
    cr_assert(fixture_hello(fd, true, &reply, NULL));
    event_count = 0;
    do {
        struct request request = {.kind = REQUEST_LIST, .list = {LIST_EVENTS, after, settled}};
        cr_assert(fixture_exchange(fd, &request, &reply, NULL) && reply.kind == REPLY_LISTING);
        cr_assert(reply.listing.last > after || !reply.listing.more, "a page that goes nowhere");
        for (size_t i = 0; i < reply.listing.event_count; i++) {
            cr_assert(event_count < EVENTS_MOST && reply.listing.events[i].event > after);
            after = reply.listing.events[i].event;
            events[event_count++] = reply.listing.events[i];
        }
        after = reply.listing.last;
    } while (reply.listing.more);
}

static inline void read_all(void)
{
    read_after(&fixture, 0, false);
}

/* The only event of a kind since `from`, which moves behind it. */
static inline const struct event_entry *next(enum event_kind kind, size_t *from)
{
    while (*from < event_count && events[*from].kind != kind) {
        (*from)++;
    }
    cr_assert(*from < event_count, "there is no event of kind %d", kind);
    return &events[(*from)++];
}

static inline size_t count_kind(enum event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < event_count; i++) {
        count += events[i].kind == kind;
    }
    return count;
}
