/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to the core, as values. */
#pragma once

#include "daemon/core/identity.h"
#include "proto/message.h"

enum input_kind {
    INPUT_OPEN_SESSION, /* a peer said hello: answered with EFFECT_SESSION_OPENED, or an error */
    INPUT_RESUMED,      /* the session has a new connection */
    INPUT_REQUEST,      /* acquire, extend, release, renew, revoke or bye */
    INPUT_DISCONNECTED, /* the session's connection ended */
    INPUT_DIED,         /* the session's process ended */
    INPUT_READ,         /* the session's connection was read until it was empty */
    INPUT_SEGMENT_MADE,
    INPUT_SEGMENT_FAILED,
    INPUT_SEGMENT_FREED,
    INPUT_SEGMENT_TAMPERED, /* its size is not what it was made with */
    INPUT_HOST_MEMORY,      /* what the host has available now */
    INPUT_CONFIGURE,        /* new limits and times */
    INPUT_TICK,             /* judge what is due, go on with what was left */
    INPUT_SHUTDOWN,
};

struct broker_settings {
    struct byte_limits limits;
    struct lease_times times;
};

struct input_open {
    uint64_t request_id; /* of the hello, for an error */
    struct identity identity;
    struct token token;
    struct hello_request hello;
};

struct input_request {
    struct identity identity;
    const struct request *request;
};

struct input_segment {
    uint64_t segment;
    void *handle;        /* made */
    bool has_huge_pages; /* made */
    int error;           /* failed: negative errno */
    uint64_t disk_free;  /* failed with -ENOSPC: what the spill file system has free */
};

struct input {
    enum input_kind kind;
    uint64_t session; /* whom it is about; 0 where it is about none, or the peer is a monitor */
    void *peer;       /* the shell's: for a new session, a resumed one, and as the address of a monitor's answer */
    union {
        struct input_open open;
        struct input_request request;
        struct input_segment segment;
        uint64_t host_available_bytes;
        struct broker_settings settings;
    };
};
