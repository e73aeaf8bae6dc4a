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
 * Conventions, for every function unless its comment says otherwise:
 * - Sizes are in bytes, durations in milliseconds.
 * - A function that returns int returns 0 on success, or a negative errno code. After a failure mb_last_error()
 *   returns a sentence that explains it. Outputs (ret_...) are written only on success.
 * - The library copies strings that it is given. Initialize a structure that has a `size` field with its ..._INIT
 *   macro, so that the program keeps working with a later library.
 * - Any thread may use clients, leases and buffers. Only the thread that opened a workspace may use it.
 * - After fork() the child has no client. Every call on the parent's objects fails with -EPERM, and the parent's
 *   mappings are absent (see MB_CLIENT_SHARE_WITH_CHILDREN). The child may connect on its own.
 *
 * The common errors: any call that talks to the broker may return them.
 *   -ENOMEM        a limit on RAM or on all bytes, of the broker or of the client itself, or too little memory is
 *                  available on the host
 *   -ENOSPC        a limit on mapped bytes, or the spill file system is full
 *   -ESTALE        the lease has ended; the sentence says why
 *   -EINVAL        an argument is not valid
 *   -EACCES        this user has no permission
 *   -EOPNOTSUPP    the host does not support it (huge pages, a NUMA node), or the broker allows no named files
 *   -EBUSY         another lease has the named file
 *   -EMFILE        too many leases, segments or descriptors
 *   -ENOTCONN      there is no broker, or the connection broke during the call
 *   -EPROTO        the broker sent an answer that is not valid
 *   -EPERM         the caller is a forked child
 *   -ESHUTDOWN     the broker is shutting down
 *   -ECANCELED     mb_cancel_waits() or mb_wait_cancel() ended the wait
 *   -ETIMEDOUT     the broker did not answer within the call's timeout, which starts after the time it may wait in the
 *                  queue
 *   -EDEADLK       called from the client's event callback, where a call must not wait for the broker
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

/* Where memory is. */
typedef enum mb_location {
    MB_LOCATION_RAM = 1,  /* a memfd */
    MB_LOCATION_MMAP = 2, /* a file, allocated in full */
    MB_LOCATION_AUTO = 3  /* RAM if the limits and the host allow it now, else a file */
} mb_location;

typedef enum mb_huge_pages {
    MB_HUGE_PAGES_NEVER = 0,
    MB_HUGE_PAGES_TRY = 1,
    MB_HUGE_PAGES_ALWAYS = 2,
    MB_HUGE_PAGES_DEFAULT =
        3 /* as the broker's configuration says for this client's class; if it says nothing, never */
} mb_huge_pages;

/* The memory pressure of the machine. */
typedef enum mb_pressure {
    MB_PRESSURE_NONE = 0,
    MB_PRESSURE_SOME = 1, /* some tasks wait for memory */
    MB_PRESSURE_FULL = 2  /* all tasks that could run wait for memory */
} mb_pressure;

/* Which process's control group is charged for the pages of a RAM lease. */
typedef enum mb_charge {
    MB_CHARGE_NONE = 0,   /* a mapped file: no process in particular */
    MB_CHARGE_BROKER = 1, /* the broker allocated every page before the grant */
    MB_CHARGE_CLIENT = 2  /* this process, when it touches the pages */
} mb_charge;

/* Why a lease ended. */
typedef enum mb_end_reason {
    MB_END_NONE = 0,         /* it has not ended */
    MB_END_RELEASED = 1,     /* by its process; of a block: its publisher freed it */
    MB_END_EXPIRED = 2,      /* not renewed within its TTL; of a block: keep_ms was over */
    MB_END_REVOKED = 3,      /* by an administrator, by its owner, or for a request of higher priority */
    MB_END_DIED = 4,         /* the process died */
    MB_END_DISCONNECTED = 5, /* the connection was not resumed within the grace time */
    MB_END_SHUTDOWN = 6,     /* the broker shut down */
    MB_END_TAMPERED = 7,     /* a client changed the size or the blocks of a segment */
    MB_END_UNPUBLISHED = 8,  /* its block was unpublished */
    MB_END_REPLACED = 9,     /* another block took the name of its block */
    MB_END_EVICTED = 10,     /* its block was evicted because memory was short */
    MB_END_BROKER_GONE = 100 /* the broker disappeared; only the library reports this */
} mb_end_reason;

/* The version of the library, such as "0.1.0". Static storage. Any thread. */
MB_PUBLIC const char *mb_version(void);

/*
 * The sentence about the last error in the calling thread: what failed, the numbers, and what to do. Never NULL. The
 * string is valid until the thread's next call into the library. Any thread.
 *
 * The next call that succeeds clears it to "", with two exceptions. Calls that give something back keep it, so that a
 * clean-up does not lose it: mb_release(), mb_block_free(), mb_view_close(), mb_workspace_leave(), mb_scope_in(), and
 * functions that return void. An allocation in a workspace that succeeds does not touch it, so read it only after a
 * NULL.
 *
 * mb_last_refusal() has the figures of a refusal (membroker/refusal.h).
 */
MB_PUBLIC const char *mb_last_error(void);

/* ---- clients ---- */

typedef enum mb_event_type {
    MB_EVENT_EXPIRING = 1,       /* `lease` expires in `milliseconds` unless it is renewed */
    MB_EVENT_LEASE_LOST = 2,     /* `lease` has ended; `reason` says why, and `ranges` which addresses are lost. It
                                    does not come for a lease that the program releases */
    MB_EVENT_LIMITS_CHANGED = 3, /* the administrator changed the broker's limits */
    MB_EVENT_TRIM = 4,           /* memory is short: release what is idle; `bytes` of `location` are needed */
    MB_EVENT_SHUTTING_DOWN = 5,  /* the broker shuts down; every lease is lost */
    MB_EVENT_DISCONNECTED = 6,   /* the connection broke; the library tries to resume the session */
    MB_EVENT_RESUMED = 7,        /* the session continues with the leases that it had */
    MB_EVENT_PRESSURE = 8,       /* the machine's memory pressure changed to `pressure` */
    MB_EVENT_REVOKING = 9,       /* `lease` will be revoked in `milliseconds` for a request of higher priority */
    MB_EVENT_SPARED = 10,        /* `lease` will not be revoked after all */
    MB_EVENT_NEW_SESSION = 11    /* connected again in a new session: all earlier leases are lost; new ones can be
                                    acquired */
} mb_event_type;

typedef struct mb_range {
    void *address;
    uint64_t bytes;
} mb_range;

typedef struct mb_event {
    mb_event_type type;
    mb_client *client;
    mb_lease *lease; /* NULL if the event is not about a lease; borrowed, valid during the callback */
    mb_end_reason reason;
    uint64_t milliseconds;
    uint64_t bytes;
    mb_location location;
    mb_pressure pressure;
    /*
     * Where the library had mapped `lease` when the event occurred: a range for each mapped extent, in the order of the
     * extents. None if the event is not about a lease, or if the lease was not mapped. The array belongs to the library
     * and is valid during the callback. With MB_EVENT_LEASE_LOST, the content of these addresses is lost, whether the
     * program mapped the lease itself or the library did so for buffers (see mb_buffer_from_address()) or a workspace.
     * If another thread has released the lease since then, other memory may be there now.
     */
    const mb_range *ranges;
    size_t range_count;
} mb_event;

/* The argument of on_reclaim(). */
typedef struct mb_reclaim {
    mb_client *client;
    uint64_t wanted_bytes; /* what did not fit */
    mb_location location;
    unsigned attempt; /* starts at 1; at most max_retries */
} mb_reclaim;

/* Flags of a client. */
#define MB_CLIENT_NO_THREAD                                                                                            \
    1u /* no background thread: the program polls mb_client_fd() and calls mb_client_dispatch() */
#define MB_CLIENT_GUARD                                                                                                \
    2u /* the memory of a lost lease becomes private zero pages; without this flag, touching it raises SIGBUS */
#define MB_CLIENT_SHARE_WITH_CHILDREN 4u /* children of fork() inherit the mappings (by default they do not) */
#define MB_CLIENT_NO_RENEW            8u /* the library renews no lease: each ends after its TTL */
#define MB_CLIENT_CATCH_MISUSE                                                                                         \
    16u /* find uses of memory after its end, as MEMBROKER_MISUSE=1 does: see MISUSE in membroker/workspace.h */

#define MB_CLIENT_NO_LEARNED_SIZES                                                                                     \
    32u /* workspaces neither report learned sizes to the broker nor start with sizes that it keeps */

#define MB_LIMIT_DEFAULT UINT64_C(0xFFFFFFFFFFFFFFFE) /* use the default of a limit in mb_client_options */

typedef struct mb_client_options {
    size_t size;        /* of this structure; set by MB_CLIENT_OPTIONS_INIT */
    const char *socket; /* path; NULL: $MEMBROKER_SOCKET if set, else the socket in $XDG_RUNTIME_DIR if it exists, else
                           in /run */
    const char *name;   /* shown in listings, at most 63 bytes; NULL: the program's name */
    /* The client's own limits, in bytes; 0: no limit. By default max_bytes is 2 x heap_bytes (no limit without
     * heap_bytes), and max_physical_bytes is max_bytes. */
    uint64_t heap_bytes, max_bytes, max_physical_bytes;
    unsigned flags; /* MB_CLIENT_... */
    /*
     * Receives events; may be NULL. The background thread calls it. In a client without that thread,
     * mb_client_dispatch() calls it, and so does any call that waits for the broker, in its own thread while it waits.
     * The library holds no lock during the callback. Events arrive one at a time and in order; an event that occurs
     * during the callback follows after it returns. The callback may call the functions that only read
     * (mb_lease_...), mb_release(), mb_buffer_unref(), mb_trim() and mb_cancel_waits(). Calls that would wait for the
     * broker fail with -EDEADLK. The callback must not call mb_disconnect().
     */
    void (*on_event)(const mb_event *event, void *user_data);
    void *user_data;
    uint32_t timeout_ms; /* how long a call waits for the broker's answer; 0: 30 s */
    /*
     * Asks the program to free memory if a buffer, a spill or a workspace's arena does not fit a limit; may be NULL. A
     * JVM would run its collector here. The library calls it in the thread that allocates, up to max_retries times, and
     * waits retry_wait_ms after each, until the memory fits. It does not call it for a request that is larger than the
     * limit itself. It may call any function of the library that does not allocate.
     */
    void (*on_reclaim)(const mb_reclaim *reclaim, void *user_data);
    uint32_t max_retries;   /* like JavaCPP's maxRetries */
    uint32_t retry_wait_ms; /* JavaCPP waits 100 */
    /*
     * Keep released RAM leases, up to this many bytes in total; 0: keep only those with MB_LEASE_UNDEFINED_CONTENT. The
     * next mb_acquire() with the same size and options gets such a lease, zeroed. This helps programs that write to all
     * of the memory that they acquire, and release it soon. Kept leases count against the limits. The library releases
     * them after a second without use, when the broker asks to trim, in mb_trim(), or when memory is short. Each lease
     * of more than 2 MiB that may be kept needs a descriptor.
     */
    uint64_t cache_bytes;
    /* How long buffers, spills and arenas wait if memory is short and on_reclaim did not help; 0: they do not wait. */
    uint32_t wait_ms;
} mb_client_options;

#define MB_CLIENT_OPTIONS_INIT                                                                                         \
    {                                                                                                                  \
        sizeof(mb_client_options), NULL, NULL, MB_LIMIT_DEFAULT, MB_LIMIT_DEFAULT, MB_LIMIT_DEFAULT, 0u, NULL, NULL,   \
            0u, NULL, 10u, 10u, UINT64_C(0), 0u                                                                        \
    }

/*
 * Connects to the broker and opens a session. `options` NULL: all defaults. The caller owns the client and ends it with
 * mb_disconnect(). Also returns -ETIMEDOUT, and -EACCES if the permissions of the socket do not admit this user. Any
 * thread.
 *
 * The background thread starts with the first lease, with the first call of mb_client_pressure(), or immediately if
 * on_event is set. Until then the client has one descriptor. In each client a call that finds the connection broken
 * tries to make it again before it fails.
 */
MB_PUBLIC int mb_connect(const mb_client_options *options, mb_client **ret_client);

/*
 * Ends the session, releases every lease and removes their mappings. NULL is allowed. Afterwards the program must not
 * use the client's leases, workspaces, buffers, blocks and views, nor weak references to them or open buffer scopes
 * with some of them. No other thread may be inside a call on this client. Waits until the broker has freed the memory
 * (at most 2 s), unless the client never had a lease. In a forked child it only closes the child's copies of the
 * descriptors.
 */
MB_PUBLIC void mb_disconnect(mb_client *client);

/*
 * Releases the leases whose buffers are all free, and those that the library keeps for reuse. The library does the same
 * by itself about a second after they became free, when the broker asks to trim, and before a request fails. Any
 * thread.
 */
MB_PUBLIC void mb_trim(mb_client *client);

/*
 * For programs without a background thread (MB_CLIENT_NO_THREAD). Poll mb_client_fd() for POLLIN, for at most
 * mb_client_timeout() milliseconds (-1: no limit), then call mb_client_dispatch(). It never waits: it renews the leases
 * that are due, handles events, and reconnects. The descriptor belongs to the library and stays the same as long as the
 * client exists. The first mb_client_fd() makes it: -EMFILE if the process has no descriptor left. -EINVAL without
 * MB_CLIENT_NO_THREAD.
 */
MB_PUBLIC int mb_client_fd(mb_client *client);
MB_PUBLIC int mb_client_timeout(mb_client *client);
MB_PUBLIC int mb_client_dispatch(mb_client *client);

/*
 * Waits for up to timeout_ms until the client is connected to a broker, in its old session or in a new one; 0: tries
 * once. In a client without a thread, MB_EVENT_NEW_SESSION arrives before the call returns. -ETIMEDOUT if there is no
 * connection in time. Unlike other calls it keeps waiting if no broker listens or if the session is lost. Any thread.
 */
MB_PUBLIC int mb_wait_connected(mb_client *client, uint32_t timeout_ms);

/* The number of the client's session, as membrokerctl shows it. Any thread. */
MB_PUBLIC uint64_t mb_client_session(const mb_client *client);

/* The memory pressure of the machine, as the broker sees it, read from the control page. Any thread. */
MB_PUBLIC mb_pressure mb_client_pressure(mb_client *client);

/* Makes one round trip to the broker. Any thread. */
MB_PUBLIC int mb_ping(mb_client *client);

/* ---- leases ---- */

/* Flags of a lease. The broker keeps learned sizes by user, class, client name and lease name, beyond the process. */
#define MB_LEASE_LEARNED           1u /* the broker keeps this size as learned */
#define MB_LEASE_USE_LEARNED       2u /* ask for the learned size; for `bytes` if there is none (-ENODATA if that is 0) */
#define MB_LEASE_UNDEFINED_CONTENT 4u /* the memory may contain old data of this client; see mb_acquire() */
#define MB_LEASE_KEEP_DESCRIPTOR                                                                                       \
    8u                      /* keep a descriptor of each extent open, so that mb_lease_descriptor() has one to return */
#define MB_LEASE_SPARSE 16u /* the program will touch few of the pages, so mb_map() maps none in advance */

typedef struct mb_lease_options {
    size_t size;      /* of this structure; set by MB_LEASE_OPTIONS_INIT */
    const char *name; /* shown in listings, at most 63 bytes; NULL: none */
    mb_location location;
    uint32_t ttl_ms; /* 0: the broker's default */
    mb_huge_pages huge_pages;
    int32_t numa_node; /* RAM only: bind the pages to this node; -1: no binding */
    int prefault;      /* RAM only: the broker allocates every page before the grant */
    const char *file;  /* MMAP only: the name of a file that remains after the lease, in the directory that the broker's
                          configuration allows ([mapped] files); if the file exists, `bytes` may be 0. NULL: a file
                          without a name */
    uint32_t wait_ms; /* how long to wait in the broker's queue if the memory is not free; 0: do not wait. If the broker
                         restarts under a service manager, the wait continues and keeps its deadline; without a
                         service manager the call fails (-ENOTCONN) */
    int interleave;   /* RAM only: interleave the pages over the NUMA nodes */
    unsigned flags;   /* MB_LEASE_... */
} mb_lease_options;

#define MB_LEASE_OPTIONS_INIT                                                                                          \
    {                                                                                                                  \
        sizeof(mb_lease_options), NULL, MB_LOCATION_RAM, 0u, MB_HUGE_PAGES_DEFAULT, -1, 0, NULL, 0u, 0, 0u             \
    }

/*
 * Acquires a lease of `bytes` (at least 1; rounded up to whole pages) and waits for the answer. `options` NULL: all
 * defaults. The caller owns the lease and ends it with mb_release(). The memory is zero. Returns the common errors. Any
 * thread.
 *
 * With MB_LEASE_UNDEFINED_CONTENT, the call returns a lease that this client released before, if the library has kept
 * one of the same name and the same number of pages. With MB_LEASE_USE_LEARNED as well, the number of pages is not
 * compared: the newest kept lease of a learned size serves. It is still mapped, and has its old content and number.
 * That takes no message and no system call, and the pages exist. Otherwise the lease is new and zero.
 *
 * The library keeps a lease that was acquired with this flag when the program releases it, if it is a mapped RAM lease
 * of one extent without TTL, NUMA, interleave and huge page options. (With MB_LEASE_USE_LEARNED, `bytes` must have been
 * 0.) It keeps up to 64 MiB, or cache_bytes if that is more, each lease for a second. Kept leases count against the
 * limits. They are released in mb_trim(), when the broker asks to trim, and before a request of this client is refused
 * or waits for memory.
 */
MB_PUBLIC int mb_acquire(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease);

/*
 * Adds a segment of `bytes` to the lease, in the same location. It is a new extent with a mapping of its own, not
 * adjacent to the others. *ret_extent is its index; `ret_extent` may be NULL. Any thread.
 */
MB_PUBLIC int mb_extend(mb_lease *lease, uint64_t bytes, unsigned *ret_extent);

/* The same, but waits for up to wait_ms in the broker's queue if the memory is not free. Any thread. */
MB_PUBLIC int mb_extend_wait(mb_lease *lease, uint64_t bytes, uint32_t wait_ms, unsigned *ret_extent);

/*
 * Ends the waits of all calls on this client that wait in the broker's queue: they fail with -ECANCELED, even while
 * there is no connection to the broker. (In that case mb_extend_wait() ends only when the session is resumed or lost,
 * because the extent may have been granted.) Call it from another thread, or from the event callback.
 */
MB_PUBLIC void mb_cancel_waits(mb_client *client);

/* A wait of one thread: in the broker's queue, or in mb_wait_connected(). */
typedef struct mb_wait mb_wait;

/*
 * What a thread calls around each of its waits. The thread calls both functions itself, without a lock of the library.
 * They must not call the library, but begun() may call mb_wait_cancel(). What begun() returns is passed to ended().
 */
typedef struct mb_wait_watch {
    void *(*begun)(mb_wait *wait, void *user_data);
    void (*ended)(void *begun, void *user_data);
    void *user_data;
} mb_wait_watch;

/*
 * From now on the calling thread calls the functions of `watch`, which must remain valid until the thread ends or
 * watches otherwise; NULL: it calls none. Returns 0, or -ENOMEM.
 */
MB_PUBLIC int mb_watch_waits(const mb_wait_watch *watch);

/*
 * Ends one wait as mb_cancel_waits() ends all: its request fails with -ECANCELED, even if it was not sent yet. If the
 * memory was granted already, the request succeeds. Call it from any thread, but only between the call of begun() and
 * the return of ended().
 */
MB_PUBLIC void mb_wait_cancel(mb_wait *wait);

/*
 * Maps extent number `extent` of the lease (0: the first), or returns where it is mapped already. The mapping belongs
 * to the lease. If the pages exist already, because the segment comes from the broker's warm pool, this call maps all
 * of them, which takes less time than a page fault for each. With MB_LEASE_SPARSE it maps none of them.
 *
 * When the lease ends, its memory is gone, in forked children too, and also under a private mapping
 * (MAP_PRIVATE) of the same segment. Only copies in other memory remain. Also returns -ENOENT if there is no such
 * extent, and -EPROTO if the broker sent something other than a segment of that size. Any thread.
 */
MB_PUBLIC int mb_map(mb_lease *lease, unsigned extent, void **ret_address, uint64_t *ret_bytes);

/*
 * Returns a new descriptor of extent number `extent` (0: the first), so that the program can map the segment itself,
 * for example with MAP_PRIVATE. The caller owns it and closes it; exec() closes it. The lease must have the flag
 * MB_LEASE_KEEP_DESCRIPTOR; it need not be mapped.
 *
 * The library does not know of mappings that the program makes: MB_CLIENT_GUARD does not cover them, forked children
 * inherit them, no event lists them, and mb_release() leaves them. When the lease ends, the segment becomes empty, and
 * touching such a mapping raises SIGBUS. A program that changes the size of the segment, or its blocks with
 * fallocate(), loses the lease (MB_END_TAMPERED).
 *
 * -EBADF: the lease has no such flag; -ENOENT: there is no such extent; -EMFILE: the process has too many descriptors;
 * -ESTALE: the lease has ended; -EPERM in a forked child. Any thread.
 */
MB_PUBLIC int mb_lease_descriptor(const mb_lease *lease, unsigned extent, int *ret_descriptor);

/*
 * Returns the lease of any client of this process whose mapping has the byte at `address`, or NULL if none has. The
 * caller must know that another thread does not release that lease meanwhile. Any address is allowed. Takes no lock:
 * any thread may call this, also in a signal handler. In a forked child it answers for what the parent had mapped at
 * the fork (see MB_CLIENT_SHARE_WITH_CHILDREN), and the lease is good only for reading its properties.
 */
MB_PUBLIC mb_lease *mb_lease_from_address(const void *address);

/*
 * Removes the mappings of the lease and releases it, without waiting for the broker. The bytes are already free for
 * this client's next request. The library may keep the mapping of a lease with MB_LEASE_UNDEFINED_CONTENT, or of any
 * lease if the client has cache_bytes, for a second. The lease is freed in every case; -ESTALE means that it had ended
 * before. NULL is allowed. No other thread may be using the lease.
 */
MB_PUBLIC int mb_release(mb_lease *lease);

/*
 * The same, but private zero pages take the place of each mapping, so that a pointer that the program has kept reads
 * zeros and never another lease's memory. The range then belongs to the program, which ends it with munmap(). The
 * library does not keep the lease. Other threads may access the memory during the call: they find its content or zeros,
 * with MB_CLIENT_GUARD also if the lease is lost. mb_disconnect() removes the mappings of leases that were not
 * released.
 */
MB_PUBLIC int mb_release_to_zeros(mb_lease *lease);

/*
 * Returns 0 if the lease is alive, or -ESTALE with a sentence that says why it ended. This is one load from the control
 * page: no system call, no message. Any thread.
 */
MB_PUBLIC int mb_lease_check(const mb_lease *lease);

/* Properties of a lease. They do not change while it lives, except that mb_extend() changes extents and bytes. Any
 * thread. */
MB_PUBLIC uint64_t mb_lease_id(const mb_lease *lease);
MB_PUBLIC uint64_t mb_lease_bytes(const mb_lease *lease); /* the sum of its extents */
MB_PUBLIC mb_location mb_lease_location(const mb_lease *lease);
MB_PUBLIC unsigned mb_lease_extents(const mb_lease *lease);
MB_PUBLIC uint32_t mb_lease_ttl(const mb_lease *lease);
MB_PUBLIC int mb_lease_has_huge_pages(const mb_lease *lease);
MB_PUBLIC mb_charge mb_lease_charge(const mb_lease *lease);    /* of its first extent */
MB_PUBLIC uint64_t mb_lease_file_bytes(const mb_lease *lease); /* the exact size of a named file; otherwise 0 */
MB_PUBLIC mb_end_reason mb_lease_end_reason(const mb_lease *lease);

/*
 * Sets how much of the lease is in use, for listings. The background thread or mb_client_dispatch() reports it with the
 * next renewal; within 50 ms if nothing was reported before. Any thread.
 */
MB_PUBLIC void mb_lease_report_use(mb_lease *lease, uint64_t used_bytes);

/* A reason as text, such as "it was not renewed within its TTL". Static storage. Any thread. */
MB_PUBLIC const char *mb_end_reason_text(mb_end_reason reason);

#ifdef __cplusplus
}
#endif

/* in this order: the second uses the first */
#include <membroker/workspace.h>

#include <membroker/block.h>
#include <membroker/buffer.h>
#include <membroker/exchange.h>
#include <membroker/refusal.h>
#include <membroker/shared.h>

#endif
