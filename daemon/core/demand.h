/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request for a lease or an extension asks for. The request is read once, when it enters the core; what its
 * class and the host have to say about it is resolved then, and again only if other settings come into force while it
 * waits.
 */
#pragma once

#include "daemon/core/segment.h"
#include "proto/message.h"

struct broker;
struct session;

/* What the request itself says of its pages. */
struct page_wish {
    bool has_huge_pages; /* false: its class decides */
    enum huge_pages huge_pages;
    int32_t numa_node; /* -1: no binding */
    bool interleave, prefault;
};

struct demand {
    uint64_t request_id; /* of the answer; 0: it wants none */
    uint64_t asked_at;   /* service clock */
    uint64_t repeats;    /* the request that this one repeats; 0: none */
    bool takes_lease;    /* else it extends this one: */
    uint64_t lease;
    uint64_t asked_bytes;
    uint32_t wait_ms; /* 0: it does not wait */

    /* Of a new lease. */
    uint32_t ttl_ms; /* 0: the default */
    bool learned;    /* its size is to be remembered */
    bool use_learned;
    bool publishable;
    char name[MESSAGE_NAME_SIZE];
    char file[MESSAGE_NAME_SIZE]; /* empty: none */
    struct page_wish wish;

    /* Resolved. */
    enum location location;
    uint64_t bytes;       /* rounded up to whole pages, or huge pages */
    uint64_t least_bytes; /* rounded up to ordinary pages */
    struct segment_options options;
    uint64_t settings_number; /* of the settings that it was resolved under */
};

/* Reads a request of one of the two kinds. `file_bytes` is the length of the file that it names; 0: there is none. */
void demand_read(const struct request *request, uint64_t file_bytes, struct demand *ret);

/* Resolves what is left to its class, to the host and to the lease that it extends. */
void demand_resolve(const struct broker *broker, const struct session *session, struct demand *demand);

/* What the request is remembered by: its id, or that of the request that it repeats. */
uint64_t demand_key(const struct demand *demand);
