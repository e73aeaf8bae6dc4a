/* SPDX-License-Identifier: Apache-2.0 */
/* A restore under way: what restoring leases and restoring blocks share. */
#pragma once

#include "daemon/core/restore.h"
#include "daemon/os/service_manager.h"

struct control_slot;
struct peer;
struct server;

struct restoring {
    struct server *server;
    struct handed_descriptors *handed;
    size_t sessions, segments, blocks, views, dropped;
    int failed; /* negative errno: the machine refuses what it may grant the next daemon, for whom all is left as it is
                 */
};

/* Whether the fault is the machine's, for now, and not that of what was kept. */
bool restoring_is_passing(int result);

/* The descriptor that is kept under this letter for a record, or negative errno. */
int restoring_take(struct restoring *restoring, char kind, uint32_t record);

void restoring_forget(char kind, uint32_t record);

/* The session's peer; NULL: it was not restored. */
struct peer *restoring_peer(const struct server *server, uint64_t session);

/* Its slot, if that says that the lease had not ended when the daemon did; else NULL. */
struct control_slot *restoring_slot(const struct server *server, uint64_t session, uint32_t number,
                                    uint64_t generation);

/* The letter under which its descriptor is kept; of a damaged record, any. */
char restoring_letter(const struct kept_segment *kept);

/* Whose lane a segment belongs in; the daemon's own if its session is gone. */
uint32_t restoring_user(const struct server *server, const struct kept_segment *kept);

/* Has it freed, counted until then. False: it can't be entered in the ledger, and the descriptor is still the caller's.
 */
bool restoring_free_segment(struct server *server, const struct kept_segment *kept, uint32_t record, int fd);

/* The same, or closes it. Takes the descriptor. */
void restoring_drop_segment(struct restoring *restoring, const struct kept_segment *kept, uint32_t record, int fd);
