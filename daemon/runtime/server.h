/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's shell: one libuv loop that owns the broker's core and everything that does I/O for it.
 * All of it runs on the loop's thread, but for the jobs that segments.c gives to the thread pool.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/un.h>
#include <uv.h>

#include "daemon/config/config.h"
#include "daemon/core/broker.h"
#include "daemon/os/host_memory.h"
#include "daemon/os/pressure.h"
#include "daemon/runtime/control_return.h"
#include "daemon/runtime/control_store.h"
#include "daemon/runtime/in_flight.h"
#include "daemon/runtime/schedule.h"
#include "daemon/runtime/service_clock.h"
#include "daemon/runtime/table.h"
#include "daemon/runtime/user_load.h"
#include "daemon/runtime/workers.h"
#include "proto/codec.h"

/* What tells of memory pressure. */
struct pressure_source {
    int fd; /* -EBADF: none */
    uv_poll_t poll;
    bool is_given, is_stream; /* by the service manager; to be read */
    enum pressure level;
    struct pressure_meter meter; /* what confirms it, if it is no stream */
    uint64_t until;              /* monotonic: it is taken to last */
};

enum { PRESSURE_SOURCES = 3 };

/* How the daemon is ending. */
enum shutdown {
    SHUTDOWN_NOT,
    SHUTDOWN_LEASES,   /* with every lease */
    SHUTDOWN_HAND_OVER /* with the leases that the next daemon could not go on with */
};

struct connection;
struct unread_socket;
struct peer;
struct segment_file;

LIST_HEAD(connection_list, connection);
TAILQ_HEAD(unread_socket_list, unread_socket);
TAILQ_HEAD(connection_queue, connection);
LIST_HEAD(peer_list, peer);
TAILQ_HEAD(segment_result_queue, segment_file);

/* What an administrator should know of the configuration; NULL: nothing. */
struct notices {
    char *error;  /* why the files are not in force */
    char *stays;  /* what a reload could not change; lines */
    char *socket; /* which settings the service manager's socket has otherwise; lines */
};

enum { DESCRIPTOR_RESERVE = 64 };

struct server {
    uv_loop_t loop;
    struct notices notices;
    struct config *config;
    const char *config_file;   /* as given; NULL: the default */
    const char *socket_option; /* as given; NULL: none */
    struct broker *broker;
    struct effect_list effects;
    bool feeding;
    struct segment_result_queue results; /* of segments, not yet told to the core */
    struct table table;                  /* what a restart goes on from */
    bool has_transparent_huge_pages;
    bool is_frozen;     /* another daemon goes on with it */
    bool is_closing;    /* nothing reaches the core any more: it is about to be freed */
    bool was_activated; /* the listening socket is the service manager's */
    uv_timer_t watchdog;
    struct service_clock clock;
    uint64_t
        frozen_now; /* service time while judging: all of one judgement happens at one instant; 0: the clock runs */
    uint64_t started_at; /* monotonic */

    uv_poll_t listener;
    int listen_fd;
    char socket_path[sizeof((struct sockaddr_un *)0)->sun_path + 1]; /* where it listens */
    int spare_fd;   /* given up for an instant when descriptors run out, so that a caller can be turned away */
    int fd_ceiling; /* clients and segments get descriptors below it; DESCRIPTOR_RESERVE above are the daemon's */
    uv_timer_t maintenance; /* of connections */
    struct connection_list connections;
    struct connection_list ended; /* connections that the reaper tears down */
    struct control_store control_store;
    struct control_return control_return;
    struct user_load_list user_loads;
    struct user_load_queue ready;             /* who has connections to serve, in the order of their turns */
    struct connection_queue unreceived;       /* with descriptors that may be in flight */
    struct connection_queue held;             /* whose descriptors are held back */
    struct unread_socket_list unread_sockets; /* sockets of connections that have ended */
    uv_timer_t held_timer;
    uint64_t held_pause_ms;
    struct in_flight in_flight;
    uint64_t cut_off; /* clients that did not read or receive what was for them */
    struct peer_list peers;
    struct peer_list retired; /* peers that the reaper frees */

    uv_prepare_t before_poll;
    uv_check_t after_poll;
    struct schedule schedule;
    uv_timer_t watch; /* over segments' sizes */
    uint64_t scan_cursor;
    struct pressure_source pressure[PRESSURE_SOURCES];
    uv_timer_t pressure_end, pressure_sampling;
    enum pressure pressure_level; /* as the core knows it */
    uint64_t remembered_changes;  /* of the learned sizes, as they were saved last */
    uv_signal_t signals[3];

    struct host_memory host;
    uint64_t host_read_at;  /* monotonic; 0: never */
    bool has_freed_much;    /* since then: the host is to be looked at again */
    uint64_t filling_bytes; /* of RAM segments that are being filled: the host's figures have a part of them at most */

    struct workers workers;
    uv_work_t first_job;                 /* has the threads started */
    struct segment_file **segment_by_fd; /* who owns which descriptor */
    size_t segment_by_fd_size, segments_indexed;
    struct descriptor_uses descriptors;

    enum shutdown shutdown;
    uint64_t stop_deadline; /* monotonic */
    struct codec_arena *arena;
    uint8_t frame[FRAME_BYTES_MAX];      /* being sent */
    uint8_t packet[FRAME_BYTES_MAX + 1]; /* being read; one more, so that an oversized one is noticed */
};

/*
 * Sets up everything but the loop's run, with a listening socket. Takes the configuration in every case. Returns
 * NULL after logging why.
 */
struct server *server_new(struct config *config, const char *config_file, const char *socket_option);

/* Serves until a signal ends it; returns the process's exit status. */
int server_run(struct server *server);

/* Takes NULL; returns NULL. */
struct server *server_free(struct server *server);
