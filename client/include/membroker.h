/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmembroker: memory leased from membrokerd.
 *
 *     mb_client *client;
 *     if (mb_connect(NULL, &client) < 0) fail(mb_last_error());
 *     mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
 *     config.initial_size = 64 << 20;
 *     mb_workspace *scratch;
 *     if (mb_workspace_open(client, "scratch", &config, &scratch) < 0) fail(mb_last_error());
 *     for (...) {
 *         if (mb_workspace_enter(scratch) < 0) fail(mb_last_error());
 *         double *x = mb_workspace_alloc(scratch, n * sizeof *x);
 *         if (!x) fail(mb_last_error());
 *         ...
 *         if (mb_workspace_check(scratch) < 0) fail(mb_last_error());
 *         mb_workspace_leave(scratch);
 *     }
 *     mb_workspace_close(scratch);
 *     mb_disconnect(client);
 *
 * Conventions, for every function unless it says otherwise:
 * - Sizes are in bytes, durations in milliseconds.
 * - A function that returns int returns 0, or a negative errno code; mb_last_error() then has the
 *   sentence. Outputs (ret_...) are written only on success.
 * - Strings that are passed in are copied. Structures with a `size` field are filled with their
 *   ..._INIT macro first, so that a program keeps working with a later library.
 * - Clients, leases and buffers may be used from any thread; a workspace belongs to the thread that opened it.
 * - After fork() the child has no client: every call on the parent's objects fails with -EPERM, and the
 *   parent's mappings are absent (see MB_CLIENT_SHARE_WITH_CHILDREN). The child may connect anew.
 *
 * Error codes that calls to the broker have in common:
 *   -ENOMEM        a limit on RAM or on all bytes, the broker's or the client's own, or too little
 *                  memory available on the host
 *   -ENOSPC        a limit on mapped bytes, or the spill file system is full
 *   -ESTALE        the lease has ended; the sentence says why
 *   -EINVAL        an argument makes no sense
 *   -EACCES        not permitted to this user
 *   -EOPNOTSUPP    this host has no such thing (huge pages, a NUMA node), or the broker allows no named files
 *   -EBUSY         another lease has the named file
 *   -EMFILE        a count is exhausted: leases, segments, descriptors
 *   -ENOTCONN      there is no broker, or the connection broke while the call was under way
 *   -EPROTO        the broker answered something that makes no sense
 *   -EPERM         called in a forked child
 *   -ESHUTDOWN     the broker is shutting down
 *   -ECANCELED     mb_cancel_waits() ended the wait
 *   -ETIMEDOUT     the broker is there and did not answer within the call's timeout, after what it was to wait
 *   -EDEADLK       called from within the client's event callback, and would wait for the broker
 */
#ifndef MEMBROKER_H
#define MEMBROKER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MB_PUBLIC __attribute__((visibility("default")))
#else
#define MB_PUBLIC
#endif

typedef struct mb_client mb_client;       /* a session with the broker */
typedef struct mb_lease mb_lease;         /* the right to use one or more segments until a deadline */
typedef struct mb_workspace mb_workspace; /* a bump arena on a lease: membroker/workspace.h */
typedef struct mb_buffer mb_buffer;       /* reference-counted memory: membroker/buffer.h */

/* Where memory lives. */
typedef enum mb_location {
    MB_LOCATION_RAM = 1,  /* a memfd */
    MB_LOCATION_MMAP = 2, /* a file, allocated in full */
    MB_LOCATION_AUTO = 3  /* RAM if the limits and the host allow it now, else a file */
} mb_location;

typedef enum mb_huge_pages {
    MB_HUGE_PAGES_NEVER = 0,
    MB_HUGE_PAGES_TRY = 1,
    MB_HUGE_PAGES_ALWAYS = 2,
    MB_HUGE_PAGES_DEFAULT = 3 /* what the broker's configuration says for this client's class; without it, never */
} mb_huge_pages;

/* How short of memory the machine is. */
typedef enum mb_pressure {
    MB_PRESSURE_NONE = 0,
    MB_PRESSURE_SOME = 1, /* some processes wait for memory */
    MB_PRESSURE_FULL = 2  /* nothing else makes progress either */
} mb_pressure;

/* Whose cgroup the pages of a RAM lease are charged to. */
typedef enum mb_charge {
    MB_CHARGE_NONE = 0,   /* a mapped file's: nobody's in particular */
    MB_CHARGE_BROKER = 1, /* the broker touched every page before it granted */
    MB_CHARGE_CLIENT = 2  /* this process does, when it touches them */
} mb_charge;

/* Why a lease ended. */
typedef enum mb_end_reason {
    MB_END_NONE = 0, /* it has not */
    MB_END_RELEASED = 1,
    MB_END_EXPIRED = 2,      /* not renewed within its TTL */
    MB_END_REVOKED = 3,      /* by an administrator, by its owner, or for a request of higher priority */
    MB_END_DIED = 4,         /* with the process */
    MB_END_DISCONNECTED = 5, /* the connection was not resumed within the grace time */
    MB_END_SHUTDOWN = 6,     /* the broker shut down */
    MB_END_TAMPERED = 7,     /* a segment's size was changed behind the broker's back */
    MB_END_BROKER_GONE = 100 /* the broker went away without a word; told by the library itself */
} mb_end_reason;

/* The library's version, "0.1.0". Static storage; any thread. */
MB_PUBLIC const char *mb_version(void);

/*
 * The sentence for the newest error of a call in this thread: what was refused, the figures, what to do. Empty ("")
 * once a later call succeeded, but for calls that give back (mb_release(), mb_workspace_leave(), mb_scope_in(), and
 * what returns void), so that a clean-up does not lose it, and for allocations in a workspace, which write nothing:
 * look at it after a NULL. Never NULL. Valid until the thread's next call into the library. Any thread.
 */
MB_PUBLIC const char *mb_last_error(void);

/* ---- clients ---- */

typedef enum mb_event_type {
    MB_EVENT_EXPIRING = 1,       /* `lease` expires in `milliseconds` unless renewed */
    MB_EVENT_LEASE_LOST = 2,     /* `lease` ended for `reason` */
    MB_EVENT_LIMITS_CHANGED = 3, /* the administrator changed the broker's limits */
    MB_EVENT_TRIM = 4,           /* memory is short: give back what is idle, `bytes` of `location` are wanted */
    MB_EVENT_SHUTTING_DOWN = 5,  /* the broker ends; every lease is lost */
    MB_EVENT_DISCONNECTED = 6,   /* the connection broke; the library tries to resume the session */
    MB_EVENT_RESUMED = 7,        /* the session goes on, with the leases that it had */
    MB_EVENT_PRESSURE = 8,       /* the machine's memory pressure changed to `pressure` */
    MB_EVENT_REVOKING = 9,       /* `lease` will be taken in `milliseconds` for a request of higher priority */
    MB_EVENT_SPARED = 10,        /* `lease` will not be taken after all */
    MB_EVENT_NEW_SESSION = 11    /* connected again, in a new session: the leases of the one before are lost, and new
                                    ones can be acquired */
} mb_event_type;

typedef struct mb_event {
    mb_event_type type;
    mb_client *client;
    mb_lease *lease; /* NULL where the event is not about one; borrowed, valid during the call */
    mb_end_reason reason;
    uint64_t milliseconds;
    uint64_t bytes;
    mb_location location;
    mb_pressure pressure;
} mb_event;

/* What on_reclaim() is told. */
typedef struct mb_reclaim {
    mb_client *client;
    uint64_t wanted_bytes; /* that did not fit */
    mb_location location;
    unsigned attempt; /* 1 at first, at most max_retries */
} mb_reclaim;

/* client flags */
#define MB_CLIENT_NO_THREAD                                                                                            \
    1u /* no background thread: the program polls mb_client_fd() and calls mb_client_dispatch() */
#define MB_CLIENT_GUARD                                                                                                \
    2u /* touching a lost lease's memory reads and writes private zero pages instead of raising SIGBUS */
#define MB_CLIENT_SHARE_WITH_CHILDREN 4u /* forked children keep the mappings (by default they are not inherited) */
#define MB_CLIENT_NO_RENEW            8u /* leases are not renewed: each ends when its TTL is over */
#define MB_CLIENT_CATCH_MISUSE                                                                                         \
    16u /* find uses of memory after its end: see MISUSE in membroker/workspace.h; also: MEMBROKER_MISUSE=1 */

#define MB_CLIENT_NO_LEARNED_SIZES                                                                                     \
    32u /* workspaces neither tell the broker the sizes they learn nor begin with those it remembers */

#define MB_LIMIT_DEFAULT UINT64_C(0xFFFFFFFFFFFFFFFE) /* leave a limit of the client's own to its default */

typedef struct mb_client_options {
    size_t size;        /* of this structure; set by MB_CLIENT_OPTIONS_INIT */
    const char *socket; /* path; NULL: $MEMBROKER_SOCKET, else $XDG_RUNTIME_DIR's if one is there, else /run's */
    const char *name;   /* shown to people, at most 63 bytes; NULL: the program's name */
    /* The client's own limits; 0 switches one off. max_bytes defaults to 2 x heap_bytes (no limit
     * without heap_bytes), max_physical_bytes to max_bytes. */
    uint64_t heap_bytes, max_bytes, max_physical_bytes;
    unsigned flags; /* MB_CLIENT_... */
    /*
     * Told what happens; may be NULL. Called from the background thread. In a client without one it is called from
     * within mb_client_dispatch() and from within any call on the client that waits for the broker: while that call
     * waits, in its thread, with no lock of the library held. One event is told at a time, in order; more that come
     * during the callback are told after it returns. The callback may call the functions that only look
     * (mb_lease_...), mb_release(), mb_buffer_unref(), mb_trim() and mb_cancel_waits(). What waits for the broker
     * fails in it with -EDEADLK. It must not call mb_disconnect().
     */
    void (*on_event)(const mb_event *event, void *user_data);
    void *user_data;
    uint32_t timeout_ms; /* how long a call waits for its answer; 0: 30 s */
    /*
     * Asked to let go of memory when a buffer, a spill or a workspace's arena does not fit a limit (where a JVM would
     * run its collector); may be NULL. Called in the thread that allocates, up to max_retries times with a wait of
     * retry_wait_ms after each, until the memory fits. It may call anything of the library but what allocates.
     */
    void (*on_reclaim)(const mb_reclaim *reclaim, void *user_data);
    uint32_t max_retries;   /* as JavaCPP's maxRetries */
    uint32_t retry_wait_ms; /* JavaCPP waits 100 */
    /*
     * Leases of RAM that are released are kept, up to so many bytes in all, and given to the next mb_acquire() of the
     * same size and options, zeroed: for programs that acquire and release the same sizes all the time. They
     * count as held until they have been idle for a second, the broker asks to trim, or memory is short. 0: none is.
     */
    uint64_t cache_bytes;
    uint32_t wait_ms; /* how long buffers, spills and arenas wait where memory is short; 0: they don't */
} mb_client_options;

#define MB_CLIENT_OPTIONS_INIT                                                                                         \
    {                                                                                                                  \
        sizeof(mb_client_options), NULL, NULL, MB_LIMIT_DEFAULT, MB_LIMIT_DEFAULT, MB_LIMIT_DEFAULT, 0u, NULL, NULL,   \
            0u, NULL, 10u, 10u, UINT64_C(0), 0u                                                                        \
    }

/*
 * Connects to the broker and opens a session. `options` NULL: all defaults. The caller owns the
 * client and ends it with mb_disconnect(). Also -ETIMEDOUT; -EACCES if the socket keeps this user out. Any thread.
 */
MB_PUBLIC int mb_connect(const mb_client_options *options, mb_client **ret_client);

/*
 * Ends the session: every lease goes back, every mapping of its leases is removed. NULL is allowed.
 * The client's leases, workspaces and buffers (weak references and open buffer scopes with some of them too) are gone
 * afterwards and must not be used; no other thread may be inside a call on this client. In a forked child it only
 * closes the child's copies of the descriptors.
 */
MB_PUBLIC void mb_disconnect(mb_client *client);

/*
 * Gives back what the library holds in reserve: leases of buffers that are all free. The library does the same
 * by itself about a second after they became free, when the broker asks to trim, and before it is refused. Any thread.
 */
MB_PUBLIC void mb_trim(mb_client *client);

/*
 * For programs without a background thread (MB_CLIENT_NO_THREAD). Poll mb_client_fd() for POLLIN, for at
 * most mb_client_timeout() milliseconds (-1: no limit), then call mb_client_dispatch(), which never
 * waits: it renews what is due, handles events, and reconnects. The descriptor belongs to the library
 * and stays the same for the client's life. -EINVAL for a client that has a background thread.
 */
MB_PUBLIC int mb_client_fd(const mb_client *client);
MB_PUBLIC int mb_client_timeout(mb_client *client);
MB_PUBLIC int mb_client_dispatch(mb_client *client);

/*
 * Waits until the client is connected to a broker, for up to timeout_ms (0: looks and tries once): in the session that
 * it had, or in a new one, whose MB_EVENT_NEW_SESSION is told first in a client without a thread. -ETIMEDOUT. It goes
 * on waiting where other calls give up, because no broker listens or the session is lost. Any thread.
 */
MB_PUBLIC int mb_wait_connected(mb_client *client, uint32_t timeout_ms);

/* What the client's session is called at the broker: its number. Any thread. */
MB_PUBLIC uint64_t mb_client_session(const mb_client *client);

/* The machine's memory pressure, as the broker knows it: a load from the control page. Any thread. */
MB_PUBLIC mb_pressure mb_client_pressure(mb_client *client);

/* A round trip to the broker. Any thread. */
MB_PUBLIC int mb_ping(mb_client *client);

/* ---- leases ---- */

/* lease flags: sizes that are remembered by user, class, client and lease name, over the process's end */
#define MB_LEASE_LEARNED 1u /* the broker shall remember this size */
#define MB_LEASE_USE_LEARNED                                                                                           \
    2u /* ask for the remembered size; for `bytes` where there is none (-ENODATA if that is 0) */

typedef struct mb_lease_options {
    size_t size;      /* of this structure; set by MB_LEASE_OPTIONS_INIT */
    const char *name; /* shown to people, at most 63 bytes; NULL: none */
    mb_location location;
    uint32_t ttl_ms; /* 0: the broker's default */
    mb_huge_pages huge_pages;
    int32_t numa_node; /* RAM only: bind the pages to this node; -1: no binding */
    int prefault;      /* RAM only: the broker allocates every page before it grants */
    const char *file;  /* MMAP only: a file that persists, by its name in the directory that the broker's configuration
                          allows ([mapped] files); `bytes` may then be 0 if it exists. NULL: a nameless file */
    uint32_t wait_ms;  /* for how long to wait in the broker's queue if the memory is not free; 0: not at all. Under a
                          service manager the wait goes on over a restart of the broker, and does not begin anew;
                          without one the call fails (-ENOTCONN) */
    int interleave;    /* RAM only: pages alternate between the NUMA nodes */
    unsigned flags;    /* MB_LEASE_... */
} mb_lease_options;

#define MB_LEASE_OPTIONS_INIT                                                                                          \
    {                                                                                                                  \
        sizeof(mb_lease_options), NULL, MB_LOCATION_RAM, 0u, MB_HUGE_PAGES_DEFAULT, -1, 0, NULL, 0u, 0, 0u             \
    }

/*
 * Asks for `bytes` (at least 1; rounded up to whole pages) and waits for the answer. `options` NULL: all
 * defaults. The caller owns the lease and gives it back with mb_release(). The memory is zero.
 * All the common errors. Any thread.
 */
MB_PUBLIC int mb_acquire(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease);

/*
 * Adds a segment of `bytes` to the lease, in the lease's own location. It is a new extent with its own
 * mapping, not adjacent to the others; *ret_extent (may be NULL) is its index. Any thread.
 */
MB_PUBLIC int mb_extend(mb_lease *lease, uint64_t bytes, unsigned *ret_extent);

/* The same, waiting for up to wait_ms in the broker's queue where the memory is not free. Any thread. */
MB_PUBLIC int mb_extend_wait(mb_lease *lease, uint64_t bytes, uint32_t wait_ms, unsigned *ret_extent);

/*
 * Ends every wait in the broker's queue that a call on this client is in: those calls fail with -ECANCELED, also while
 * there is no connection to the broker. (Then an mb_extend_wait() ends when the session is resumed or lost, since the
 * extent may have been granted.) From another thread than theirs, or the event callback.
 */
MB_PUBLIC void mb_cancel_waits(mb_client *client);

/*
 * Maps extent number `extent` of the lease (0: the first), or finds where it is mapped already. The mapping belongs
 * to the lease and goes with it, in forked children too, and so does a private mapping (MAP_PRIVATE) of the same
 * segment: only what was copied to other memory stays. Also -ENOENT: no such extent; -EPROTO: the broker sent something
 * that is no segment of that size. Any thread.
 */
MB_PUBLIC int mb_map(mb_lease *lease, unsigned extent, void **ret_address, uint64_t *ret_bytes);

/*
 * Removes the lease's mappings and gives it back without waiting for the broker: what this client asks
 * for next already finds the bytes free. The lease is freed in every case; -ESTALE says that it had ended
 * before. NULL is allowed. No other thread may be using the lease.
 */
MB_PUBLIC int mb_release(mb_lease *lease);

/*
 * Whether the lease is still alive: 0, or -ESTALE with the sentence that says why not. One load from
 * the control page; no system call, no message. Any thread.
 */
MB_PUBLIC int mb_lease_check(const mb_lease *lease);

/* Facts about a lease: they do not change while it lives (extents and bytes: except by mb_extend()). Any thread. */
MB_PUBLIC uint64_t mb_lease_id(const mb_lease *lease);
MB_PUBLIC uint64_t mb_lease_bytes(const mb_lease *lease); /* of all its extents */
MB_PUBLIC mb_location mb_lease_location(const mb_lease *lease);
MB_PUBLIC unsigned mb_lease_extents(const mb_lease *lease);
MB_PUBLIC uint32_t mb_lease_ttl(const mb_lease *lease);
MB_PUBLIC int mb_lease_has_huge_pages(const mb_lease *lease);
MB_PUBLIC mb_charge mb_lease_charge(const mb_lease *lease);    /* of its first extent */
MB_PUBLIC uint64_t mb_lease_file_bytes(const mb_lease *lease); /* of a named file, exact; 0 without one */
MB_PUBLIC mb_end_reason mb_lease_end_reason(const mb_lease *lease);

/*
 * Tells how much of the lease is in use, for people who look. The next renewal reports it: within 50 ms if the broker
 * knew of no use so far (the background thread does, or mb_client_dispatch()). Any thread.
 */
MB_PUBLIC void mb_lease_report_use(mb_lease *lease, uint64_t used_bytes);

/* A reason as words: "it was not renewed within its TTL". Static storage; any thread. */
MB_PUBLIC const char *mb_end_reason_text(mb_end_reason reason);

#ifdef __cplusplus
}
#endif

/* the second uses the first */
#include <membroker/workspace.h>

#include <membroker/buffer.h>

#endif
