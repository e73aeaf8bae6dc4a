/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracked buffers: memory outside any workspace, counted by references and freed when the last one goes. Included by
 * <membroker.h>.
 *
 * Many small buffers share a lease; large ones have room in leases of their own. What is free is given back to
 * the broker after about a second (mb_trim() does it at once). Functions may be called from any thread unless they say
 * otherwise.
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
    const char *name; /* shown in this process's own errors, at most 63 bytes; NULL: none. The broker
                         lists leases, and those of buffers are all called "buffers" */
    mb_location location;
    unsigned flags; /* MB_ZEROED, or 0: the memory holds anything of this process's own */
} mb_buffer_options;

#define MB_BUFFER_OPTIONS_INIT                                                                                         \
    {                                                                                                                  \
        sizeof(mb_buffer_options), NULL, MB_LOCATION_RAM, 0u                                                           \
    }

/*
 * Allocates `bytes` (at least 1), aligned to 64 (to 16 below 64 bytes), with one reference: the caller's, or
 * the buffer scope's where one is open in this thread. `options` NULL: all defaults. When it does not fit a limit, the
 * client's on_reclaim runs; then -ENOMEM or -ENOSPC with the limit's figures and this process's largest holders.
 */
MB_PUBLIC int mb_buffer_create(mb_client *client, size_t bytes, const mb_buffer_options *options,
                               mb_buffer **ret_buffer);

/* Adds a reference; returns the buffer. */
MB_PUBLIC mb_buffer *mb_buffer_ref(mb_buffer *buffer);

/* Drops a reference; the last one frees the memory. Returns NULL. NULL is allowed. */
MB_PUBLIC mb_buffer *mb_buffer_unref(mb_buffer *buffer);

/* For the cleanup attribute: drops the reference that the variable holds. */
MB_PUBLIC void mb_buffer_unrefp(mb_buffer **buffer);

MB_PUBLIC void *mb_buffer_data(const mb_buffer *buffer);
MB_PUBLIC size_t mb_buffer_size(const mb_buffer *buffer); /* as asked */

/* The public head of a buffer: what lets the compiler put the two above into the caller. For the library to write. */
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

MB_PUBLIC mb_location mb_buffer_location(const mb_buffer *buffer); /* where it is: RAM or MMAP */
MB_PUBLIC unsigned mb_buffer_references(const mb_buffer *buffer);  /* for looking at; old at once */
MB_PUBLIC int mb_buffer_check(const mb_buffer *buffer);            /* 0, or -ESTALE: its lease has ended */
MB_PUBLIC mb_ref mb_buffer_as_ref(mb_buffer *buffer);              /* borrows the buffer */

/* ---- weak references ---- */

/* A weak reference to a buffer that the caller has a reference to. Given back with mb_weak_drop(). */
MB_PUBLIC int mb_weak_create(mb_buffer *buffer, mb_weak **ret_weak);

/* A new reference to the buffer, or NULL once it is gone. */
MB_PUBLIC mb_buffer *mb_weak_get(mb_weak *weak);

/* Returns NULL. NULL is allowed. */
MB_PUBLIC mb_weak *mb_weak_drop(mb_weak *weak);

/* ---- scopes ---- */

/*
 * While a buffer scope is open in a thread, it takes the first reference of what that thread creates, and drops it when
 * it ends, unless mb_buffer_keep() gave it to the caller. Scopes nest, and end in reverse order, in the thread that
 * began them: it must not end (pthread_exit()) inside of one.
 */
typedef struct mb_buffer_scope {
    struct mb_buffer_scope *outer; /* the library's from here on */
    void *first;
    int done;
} mb_buffer_scope;

MB_PUBLIC void mb_buffer_scope_begin(mb_buffer_scope *scope);
MB_PUBLIC void mb_buffer_scope_end(mb_buffer_scope *scope);

/* Takes the scope's reference for the caller; returns the buffer. Same thread. */
MB_PUBLIC mb_buffer *mb_buffer_keep(mb_buffer *buffer);

#if defined(__GNUC__)
/* MB_AUTO_BUFFER mb_buffer *buffer = NULL; drops the reference when the variable goes. */
#define MB_AUTO_BUFFER __attribute__((__cleanup__(mb_buffer_unrefp)))
/* MB_BUFFER_SCOPE { ... } ends the scope on every way out of the block. */
#define MB_BUFFER_SCOPE                                                                                                \
    for (mb_buffer_scope MB_SCOPE_NAME(__LINE__)                                                                       \
             __attribute__((__cleanup__(mb_buffer_scope_end))) = mb_buffer_scope_opened(&MB_SCOPE_NAME(__LINE__));     \
         !MB_SCOPE_NAME(__LINE__).done; MB_SCOPE_NAME(__LINE__).done = 1)
#endif

/* Begins `scope` and returns its value; what MB_BUFFER_SCOPE is made of. */
MB_PUBLIC mb_buffer_scope mb_buffer_scope_opened(mb_buffer_scope *scope);

/* ---- moving data between workspaces and buffers: all of them copy, and check `from` first (-ESTALE) ---- */

/*
 * To the workspace that the current one is nested in; to a tracked buffer where there is none. Returns `from`
 * itself where it is there already, or is a buffer. A new buffer (ret_to->buffer) belongs to the caller.
 */
MB_PUBLIC int mb_buffer_leverage(const mb_ref *from, mb_ref *ret_to);

/*
 * To the thread's workspace of that name, whose scope must be open (-ENOENT: no such workspace, -EINVAL: not open).
 * `from` itself where it is there already, or is a buffer.
 */
MB_PUBLIC int mb_buffer_leverage_to(const mb_ref *from, const char *name, mb_ref *ret_to);

/* To that workspace if it exists and is open, else to a tracked buffer. */
MB_PUBLIC int mb_buffer_leverage_or_detach(const mb_ref *from, const char *name, mb_ref *ret_to);

/* To a tracked buffer of its own; for a buffer, another reference to it. */
MB_PUBLIC int mb_buffer_detach(const mb_ref *from, mb_buffer **ret_buffer);

/* To the current workspace, from a buffer as well; `from` itself where it is there already, or none is current. */
MB_PUBLIC int mb_buffer_migrate(const mb_ref *from, mb_ref *ret_to);

#ifdef __cplusplus
}
#endif

#endif
