/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracked buffers: memory outside any workspace, with a reference count. Dropping the last reference frees it. Included
 * by <membroker.h>.
 *
 * Small buffers share leases; large buffers have leases of their own. The library releases free memory to the broker
 * after about a second; mb_trim() does so immediately. Any thread may call these functions unless a comment says
 * otherwise. Common errors: see <membroker.h>.
 */
#ifndef MEMBROKER_BUFFER_H
#define MEMBROKER_BUFFER_H

#ifndef MEMBROKER_H
#error "include <membroker.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mb_weak mb_weak; /* a reference that does not keep its buffer alive */

typedef struct mb_buffer_options {
    size_t size;      /* of this structure; set by MB_BUFFER_OPTIONS_INIT */
    const char *name; /* shown in errors of this process, at most 63 bytes; NULL: none. The broker shows the leases of
                         buffers, which all have the name "buffers" */
    mb_location location;
    unsigned flags;   /* MB_ZEROED (otherwise the memory may contain old data of this process), MB_BUFFER_NO_WAIT */
    size_t alignment; /* bytes, a power of two of at most 2 MiB; 0: the default, see mb_buffer_create() */
} mb_buffer_options;

/* Succeed only if the library need not ask the broker, which may take long; otherwise fail with -EAGAIN. */
#define MB_BUFFER_NO_WAIT 2u

#define MB_BUFFER_OPTIONS_INIT                                                                                         \
    {                                                                                                                  \
        sizeof(mb_buffer_options), NULL, MB_LOCATION_RAM, 0u, 0u                                                       \
    }

/*
 * Allocates `bytes` (at least 1), aligned to 64 bytes if they are 64 or more than 112, otherwise to 16, unless the
 * options ask for more. The buffer has one reference. It belongs to the caller, or to the buffer scope if one is open
 * in this thread. `options` NULL: all defaults. If the buffer does not fit a limit, the library calls the client's
 * on_reclaim. If that does not help, the call fails with -ENOMEM or -ENOSPC; the sentence has the limit, its numbers
 * and the largest holders in this process.
 */
MB_PUBLIC int mb_buffer_create(mb_client *client, size_t bytes, const mb_buffer_options *options,
                               mb_buffer **ret_buffer);

/* Adds a reference; returns the buffer. */
MB_PUBLIC mb_buffer *mb_buffer_ref(mb_buffer *buffer);

/* Drops a reference; the last one frees the memory. Returns NULL. NULL is allowed. */
MB_PUBLIC mb_buffer *mb_buffer_unref(mb_buffer *buffer);

/* For the cleanup attribute: drops the reference in the variable. */
MB_PUBLIC void mb_buffer_unrefp(mb_buffer **buffer);

MB_PUBLIC void *mb_buffer_data(const mb_buffer *buffer);
MB_PUBLIC size_t mb_buffer_size(const mb_buffer *buffer); /* as requested */

/* The public head of a buffer, so that the compiler can inline the two functions above. Only the library writes it. */
struct mb_buffer_head {
    void *data;
    size_t size;
};

#if defined(__GNUC__) && !defined(MB_NO_INLINE)
extern inline __attribute__((__gnu_inline__)) void *mb_buffer_data(const mb_buffer *buffer)
{
    return ((const struct mb_buffer_head *)(const void *)buffer)->data;
}

extern inline __attribute__((__gnu_inline__)) size_t mb_buffer_size(const mb_buffer *buffer)
{
    return ((const struct mb_buffer_head *)(const void *)buffer)->size;
}
#endif

MB_PUBLIC mb_location mb_buffer_location(const mb_buffer *buffer); /* RAM or MMAP */
MB_PUBLIC unsigned mb_buffer_references(const mb_buffer *buffer);  /* for diagnosis: it may change at any time */
MB_PUBLIC int mb_buffer_check(const mb_buffer *buffer);            /* 0, or -ESTALE: its lease has ended */
MB_PUBLIC mb_ref mb_buffer_as_ref(mb_buffer *buffer);              /* adds no reference to the buffer */

/*
 * Changes the size, in place if the memory has room, otherwise by a copy: *buffer and its data may change, the content
 * up to the smaller of both sizes stays. What is added is not zero. A new place has the alignment that
 * mb_buffer_create() gives by default. Name, location and buffer scope stay. After an error the buffer is as it was.
 * The caller must have the only reference, and no other thread may use the buffer meanwhile; if it is in a scope, only
 * the thread of the scope may call this. Shrinking never waits and calls no on_reclaim. -EINVAL: 0 bytes; -EBUSY: it
 * has other references, or weak ones; -ESTALE: its lease has ended; -EPERM in a forked child; otherwise as
 * mb_buffer_create().
 */
MB_PUBLIC int mb_buffer_resize(mb_buffer **buffer, size_t bytes);

/*
 * Returns the client's buffer that has the byte at `address`, or NULL if none has. Adds no reference: the caller must
 * know that another thread does not free that buffer meanwhile. Any address is allowed. Any thread may call this, also
 * in a callback of the client, but not in a signal handler: it takes a lock for a moment. NULL in a forked child.
 */
MB_PUBLIC mb_buffer *mb_buffer_from_address(mb_client *client, const void *address);

/* ---- weak references ---- */

/* Creates a weak reference. The caller must have a reference to the buffer. End it with mb_weak_drop(). */
MB_PUBLIC int mb_weak_create(mb_buffer *buffer, mb_weak **ret_weak);

/* Returns a new reference to the buffer, or NULL if the buffer or its client is gone, and in a forked child. */
MB_PUBLIC mb_buffer *mb_weak_get(mb_weak *weak);

/* Ends a weak reference. Returns NULL. NULL is allowed. */
MB_PUBLIC mb_weak *mb_weak_drop(mb_weak *weak);

/* ---- scopes ---- */

/*
 * An open buffer scope owns the first reference of each buffer that its thread creates, and drops it when the scope
 * ends, unless mb_buffer_keep() gave it to the caller. Scopes nest. They end in reverse order, in the thread that began
 * them. The thread must not end (pthread_exit()) inside a scope.
 */
typedef struct mb_buffer_scope {
    struct mb_buffer_scope *outer; /* private from here on */
    void *first;
    int done;
} mb_buffer_scope;

MB_PUBLIC void mb_buffer_scope_begin(mb_buffer_scope *scope);
MB_PUBLIC void mb_buffer_scope_end(mb_buffer_scope *scope);

/* Moves the scope's reference to the caller. Returns the buffer. Only in the thread of the scope. */
MB_PUBLIC mb_buffer *mb_buffer_keep(mb_buffer *buffer);

#if defined(__GNUC__)
/* MB_AUTO_BUFFER mb_buffer *buffer = NULL; drops the reference at the end of the variable's block. */
#define MB_AUTO_BUFFER __attribute__((__cleanup__(mb_buffer_unrefp)))
/* MB_BUFFER_SCOPE { ... } is a scope that ends however the program leaves the block. */
#define MB_BUFFER_SCOPE                                                                                                \
    for (mb_buffer_scope MB_SCOPE_NAME(__LINE__)                                                                       \
             __attribute__((__cleanup__(mb_buffer_scope_end))) = mb_buffer_scope_opened(&MB_SCOPE_NAME(__LINE__));     \
         !MB_SCOPE_NAME(__LINE__).done; MB_SCOPE_NAME(__LINE__).done = 1)
#endif

/* Begins `scope` and returns its value. For MB_BUFFER_SCOPE. */
MB_PUBLIC mb_buffer_scope mb_buffer_scope_opened(mb_buffer_scope *scope);

/*
 * ---- copying between workspaces and buffers ----
 *
 * These functions check `from` first: -ESTALE if it is not valid. The workspaces that they copy to are those of the
 * calling thread.
 */

/*
 * Copies to the workspace in which the current one is nested, or to a tracked buffer if there is none. *ret_to is
 * `from` itself if it is already there, or if it is a buffer. The caller owns a new buffer (ret_to->buffer).
 */
MB_PUBLIC int mb_buffer_leverage(const mb_ref *from, mb_ref *ret_to);

/*
 * Copies to the thread's workspace of that name. -ENOENT: there is no such workspace. -EINVAL: its scope is not open.
 * *ret_to is `from` itself if it is already there, or if it is a buffer.
 */
MB_PUBLIC int mb_buffer_leverage_to(const mb_ref *from, const char *name, mb_ref *ret_to);

/* Copies to that workspace if it exists and is open, otherwise to a tracked buffer. */
MB_PUBLIC int mb_buffer_leverage_or_detach(const mb_ref *from, const char *name, mb_ref *ret_to);

/* Copies to a new tracked buffer. If `from` is a buffer, adds a reference to it instead. */
MB_PUBLIC int mb_buffer_detach(const mb_ref *from, mb_buffer **ret_buffer);

/*
 * Copies to the current workspace, also from a buffer. *ret_to is `from` itself if it is already there, or if no
 * workspace is current.
 */
MB_PUBLIC int mb_buffer_migrate(const mb_ref *from, mb_ref *ret_to);

#ifdef __cplusplus
}
#endif

#endif
