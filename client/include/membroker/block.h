/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published blocks: memory that one process fills and others read. Included by <membroker.h>; client/BLOCKS.md is the
 * guide.
 *
 *     mb_block *block;                                       // the publisher
 *     if (mb_block_create(client, bytes, NULL, &block) < 0) fail(mb_last_error());
 *     fill(mb_block_data(block));
 *     if (mb_block_publish(block, "weights") < 0) fail(mb_last_error());
 *
 *     mb_view *view;                                         // a reader
 *     if (mb_attach(client, "weights", 5000, &view) < 0) fail(mb_last_error());
 *     result = read(mb_view_data(view, NULL));
 *     if (mb_view_check(view) < 0) fail(mb_last_error());    // what was read is not to be used
 *     mb_view_close(view);
 *
 * Once a block is published nobody can change a byte of it, its publisher included: the kernel refuses it. Names are
 * unique for each user. Blocks and views are leases: the library renews them, and the broker can end them.
 *
 * Common errors: see <membroker.h>. Any thread may call these functions, but no other thread may use an object that is
 * being ended. In a forked child they fail with -EPERM, and the parent's mappings are absent (see
 * MB_CLIENT_SHARE_WITH_CHILDREN); mb_view_check() still answers there, for a child that shares them.
 */
#ifndef MEMBROKER_BLOCK_H
#define MEMBROKER_BLOCK_H

#ifndef MEMBROKER_H
#error "include <membroker.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mb_block mb_block; /* memory to be published, or a published block in its publisher */
typedef struct mb_view mb_view;   /* a published block in a reader */

/* When a block ends. Its bytes stay as long as anybody of its user has a view of it. */
typedef enum mb_lifetime {
    MB_LIFETIME_SESSION = 0, /* with mb_block_free(), or the publisher's end */
    MB_LIFETIME_KEEP = 1,    /* when it is unpublished, or after keep_ms; the publisher may end before */
    MB_LIFETIME_CACHE = 2    /* when it is unpublished, or if memory is short while nobody has a view of it */
} mb_lifetime;

/* Who may attach a block. */
typedef enum mb_access {
    MB_ACCESS_USER = 0,  /* processes of the publisher's user */
    MB_ACCESS_GROUP = 1, /* and those in the group `gid` */
    MB_ACCESS_ALL = 2    /* all users of the broker */
} mb_access;

#define MB_BLOCK_METADATA_MAX 4096 /* bytes */

typedef struct mb_block_options {
    size_t size; /* of this structure; set by MB_BLOCK_OPTIONS_INIT */
    mb_lifetime lifetime;
    uint32_t keep_ms; /* MB_LIFETIME_KEEP only: how long from the publication on; 0: until it is unpublished */
    mb_access access;
    uint32_t gid;          /* MB_ACCESS_GROUP only: a group of this process; otherwise 0 */
    int replace;           /* the user's block that has the name loses it, in the same instant */
    const char *type;      /* says what the bytes are, at most 63 bytes; NULL: nothing */
    const void *metadata;  /* for readers: such as the shape of an array. The library copies it */
    size_t metadata_bytes; /* at most MB_BLOCK_METADATA_MAX */
    /* the memory: as in mb_lease_options */
    uint32_t wait_ms;
    uint32_t ttl_ms;
    mb_huge_pages huge_pages;
    int32_t numa_node;
    int interleave;
    int prefault;
    /* where it lies. MB_LOCATION_MMAP: a file of the broker, which takes no RAM while it is not used; with
     * MB_ACCESS_USER only. MB_LOCATION_AUTO is MB_LOCATION_RAM: no block becomes a file unasked */
    mb_location location;
} mb_block_options;

#define MB_BLOCK_OPTIONS_INIT                                                                                          \
    {                                                                                                                  \
        sizeof(mb_block_options), MB_LIFETIME_SESSION, 0u, MB_ACCESS_USER, 0u, 0, NULL, NULL, 0u, 0u, 0u,              \
            MB_HUGE_PAGES_DEFAULT, -1, 0, 0, MB_LOCATION_RAM                                                           \
    }

/* ---- the publisher ---- */

/*
 * Acquires `bytes` (at least 1; rounded up to whole pages) that can be published, and maps them for writing. The memory
 * is zero. `options` NULL: all defaults. The caller owns the block and ends it with mb_block_free(). -EOPNOTSUPP: the
 * broker is too old to publish blocks, or blocks in files; a file was asked for with an access for other users; or the
 * file system of the broker's files can't tell who writes.
 */
MB_PUBLIC int mb_block_create(mb_client *client, uint64_t bytes, const mb_block_options *options, mb_block **ret_block);

/*
 * The block's memory. The address stays the same until mb_block_free() or mb_block_publish_to_zeros(). From the call of
 * mb_block_publish() on it can only be read: writing raises SIGSEGV, also if that call fails, unless its name was not
 * valid.
 */
MB_PUBLIC void *mb_block_data(const mb_block *block);

MB_PUBLIC uint64_t mb_block_bytes(const mb_block *block); /* whole pages */

/*
 * Publishes the block under `name`, of 1 to 63 bytes (UTF-8) and without a blank at its beginning or end. Afterwards no
 * byte of it changes any more, and others can attach it. If the connection breaks during the call, the call continues
 * on the next connection. Publishing a block again under its name succeeds.
 *
 * -EBUSY: something else can still write to the memory: a forked child (MB_CLIENT_SHARE_WITH_CHILDREN), a buffer that
 * is registered with io_uring, or a read(2) or other system call that fills the memory at the moment. End that, and
 * call again. -EEXIST: the user has another block of that name; call again with another name, unpublish that block, or
 * create this one with `replace`. -EMFILE: the user has as many blocks as the broker allows. -EACCES: this process is
 * not in the group `gid`. -EINVAL: the name is not valid, the block has another name already, or another thread is
 * publishing it. -ESTALE: the lease ended before. After an error nothing is published, and the block is still the
 * caller's.
 */
MB_PUBLIC int mb_block_publish(mb_block *block, const char *name);

/*
 * The same, but the block gets another address, which mb_block_data() returns afterwards, and private zero pages take
 * the place of the writable mapping: a pointer that somebody has kept reads zeros, and what is written to them is lost.
 * This is for programs that can't know who still has a pointer. The range belongs to the program, which ends it with
 * munmap(), also after mb_block_free() or mb_disconnect(). If the call fails the block may have been moved: its address
 * tells. Later calls do not move it, nor does a call after mb_block_publish().
 */
MB_PUBLIC int mb_block_publish_to_zeros(mb_block *block, const char *name);

/* The block's lease: for mb_lease_check(), mb_lease_id(), and to know it in events. It belongs to the block. */
MB_PUBLIC mb_lease *mb_block_lease(const mb_block *block);

/*
 * Removes the mapping and frees the block: the memory if it is not published; otherwise its lifetime says what becomes
 * of it. Does not wait for the broker. Frees the object in every case, except in a forked child; -ESTALE: its lease had
 * ended before. NULL is allowed.
 */
MB_PUBLIC int mb_block_free(mb_block *block);

/*
 * Takes the name from this user's block `name`, which any process of the user may do. Its memory is freed when the last
 * view of it is closed; other users' views end after a grace time. -ENOENT: there is no such block.
 */
MB_PUBLIC int mb_unpublish(mb_client *client, const char *name);

/* ---- both ---- */

/* A published block, as mb_list_blocks() shows it. It is the library's; a later one may have more fields at its end. */
typedef struct mb_block_info {
    uint64_t number;  /* as mb_view_number() has it */
    uint64_t bytes;   /* whole pages */
    uint64_t age_ms;  /* since the publication */
    uint64_t keep_ms; /* until it ends; UINT64_MAX: no time is set */
    const char *name;
    const char *type; /* what its bytes are; "": its publisher did not say */
    uint32_t owner;   /* the number of the user who published it */
    uint32_t gid;     /* MB_ACCESS_GROUP only */
    uint32_t views;   /* processes' views, and its publisher, if that has not let go of it */
    mb_lifetime lifetime;
    mb_access access;
    mb_end_reason ended; /* why it has lost its name, while there are views of it; MB_END_NONE: it has it */
    mb_location location;
    uint64_t publisher; /* the session that published it; 0: it has let go of it */
} mb_block_info;

/* Called for each block. What it gets is valid until it returns. Anything but 0 ends the listing. */
typedef int mb_block_visitor(const mb_block_info *info, void *user_data);

/*
 * Shows the blocks of this user and those that it may attach, in the order of their publication. `visit` runs in the
 * calling thread, without a lock of the library, and may call it. Blocks that are published meanwhile may be among
 * them. If the connection breaks, the listing continues on the next one. Returns 0, or what `visit` returned if that
 * was not 0; a negative errno if the broker did not answer.
 */
MB_PUBLIC int mb_list_blocks(mb_client *client, mb_block_visitor *visit, void *user_data);

/* ---- readers ---- */

/*
 * Attaches this user's block `name` read-only, and maps it. If there is none, waits for it for up to wait_ms (0: not at
 * all); mb_cancel_waits() ends the wait. If the broker restarts meanwhile the wait continues. The caller owns the view
 * and ends it with mb_view_close().
 *
 * -ENOENT: there is no block of that name. -ESTALE: the block has ended; the sentence says why, and
 * mb_last_end_reason() too. With wait_ms, both come when the time is over. -EMFILE: too many views or leases.
 *
 * No page is mapped in advance: a program that will read all of it can call madvise(MADV_POPULATE_READ).
 */
MB_PUBLIC int mb_attach(mb_client *client, const char *name, uint32_t wait_ms, mb_view **ret_view);

/* The same for a block of the user with the number `owner`. -ENOENT too if this user may not attach it. */
MB_PUBLIC int mb_attach_from(mb_client *client, uint32_t owner, const char *name, uint32_t wait_ms, mb_view **ret_view);

/* The block's bytes, to be read only. *ret_bytes is how many, in whole pages; NULL is allowed. */
MB_PUBLIC const void *mb_view_data(const mb_view *view, uint64_t *ret_bytes);

/*
 * Returns 0 if all that was read before this call were the block's bytes; or -ESTALE, and the sentence says why the
 * view ended. Call it after reading. This is a load: no system call, no message.
 *
 * A view ends if the broker ends it: if its block was unpublished or replaced and belongs to another user, after a
 * grace time; or if the session is lost. Then its bytes may be gone: the broker frees them when the block has no name
 * and no other view. Touching freed bytes raises SIGBUS; with MB_CLIENT_GUARD it reads zeros. MB_EVENT_LEASE_LOST tells
 * the end too.
 */
MB_PUBLIC int mb_view_check(const mb_view *view);

/* What the publisher said about the block. The strings and bytes belong to the view. */
MB_PUBLIC const char *mb_view_type(const mb_view *view); /* "" if it said nothing */
MB_PUBLIC const void *mb_view_metadata(const mb_view *view, size_t *ret_bytes);

/* The block's number: no other block of this broker has it, so a name that was replaced shows. */
MB_PUBLIC uint64_t mb_view_number(const mb_view *view);

/* The view's lease: for mb_lease_id(), mb_lease_end_reason(), and to know it in events. It belongs to the view. */
MB_PUBLIC mb_lease *mb_view_lease(const mb_view *view);

/*
 * Removes the mapping and closes the view. Does not wait for the broker. Frees the object in every case, except in a
 * forked child; -ESTALE: it had ended before. NULL is allowed.
 */
MB_PUBLIC int mb_view_close(mb_view *view);

/*
 * Why the lease or the block ended that the calling thread's last error is about. MB_END_NONE if that error is about
 * nothing that ended, or if the broker did not say why. For programs that tell MB_END_EVICTED from other reasons.
 */
MB_PUBLIC mb_end_reason mb_last_end_reason(void);

/* The lost lease that the calling thread's last error is about, as mb_lease_id() had it: also that of a view, a buffer
 * or a workspace. 0: that error is about no lost lease. */
MB_PUBLIC uint64_t mb_last_lost_lease(void);

/* ---- watching names ---- */

/* Tells which blocks have names that begin with a prefix. Watches no longer than it is asked: see
 * mb_block_watch_next(). */
typedef struct mb_block_watch mb_block_watch;

typedef enum mb_block_change_type {
    MB_BLOCK_PUBLISHED = 1, /* the name leads to this block now */
    MB_BLOCK_ENDED = 2      /* the block has lost its name */
} mb_block_change_type;

/* What became of a name. A later version of the library may add members at the end. */
typedef struct mb_block_change {
    mb_block_change_type type;
    mb_end_reason reason; /* MB_BLOCK_ENDED: why; MB_END_NONE: that is not known, see mb_block_watch_next() */
    uint64_t number;      /* of the block, as mb_view_number() has it; later blocks have greater ones */
    uint64_t bytes;       /* of its memory, in whole pages */
    char name[64];
    char block_type[64]; /* as mb_view_type() has it */
} mb_block_change;

/*
 * Begins to watch the names of this user's blocks that begin with `prefix` (UTF-8, at most 63 bytes; "": all of them).
 * Does not ask the broker. The caller owns the watch and ends it with mb_block_watch_end(). One thread at a time may
 * use a watch. -EINVAL: the prefix is not valid.
 */
MB_PUBLIC int mb_watch_blocks(mb_client *client, const char *prefix, mb_block_watch **ret_watch);

/* The same for blocks of the user with the number `owner`: those that this user may attach. */
MB_PUBLIC int mb_watch_blocks_of(mb_client *client, uint32_t owner, const char *prefix, mb_block_watch **ret_watch);

/*
 * Waits for the next change for up to wait_ms (0: asks the broker once). Returns 1, and *ret_change belongs to the
 * watch and is valid until the next call; 0 if nothing changed in that time; or negative errno, and then the watch can
 * be used again. mb_cancel_waits() ends the wait (-ECANCELED).
 *
 * The blocks that there are when the watch begins come first, in the order of their names, each as MB_BLOCK_PUBLISHED.
 * Then come publications and ends as they happen. A name that is replaced comes twice: as the end of the old block
 * (MB_END_REPLACED), and as the publication of the new one. A block that the program was told of ends exactly once.
 *
 * The broker keeps the newest 1024 changes, and nothing for each watch. If more happened since the last call, or if the
 * connection broke and another broker has taken over, the library lists the names again and tells what is different
 * now: blocks that came and went meanwhile are not told, and ends have the reason MB_END_NONE. So a program that is
 * slow loses no end, and costs the broker nothing.
 *
 * If the broker restarts meanwhile the wait continues. -EMFILE: the session has `[sharing] max_watches` waits, or its
 * user `max_watches_per_user`.
 * -EPROTO: the broker is too old. -EDEADLK: the caller is an event callback.
 */
MB_PUBLIC int mb_block_watch_next(mb_block_watch *watch, uint32_t wait_ms, const mb_block_change **ret_change);

/* Frees the watch. May be called after mb_disconnect(). NULL is allowed. */
MB_PUBLIC void mb_block_watch_end(mb_block_watch *watch);

/* ---- small objects ---- */

#define MB_OBJECT_BYTES_MAX 32768

/* A copy of bytes that the broker keeps under a name, for many readers. What is longer is published as a block. */
typedef struct mb_object_options {
    size_t size;          /* of this structure; set by MB_OBJECT_OPTIONS_INIT */
    mb_lifetime lifetime; /* MB_LIFETIME_SESSION: it ends with this client; MB_LIFETIME_KEEP: with mb_remove() */
    mb_access access;     /* who may get it */
    uint32_t gid;         /* MB_ACCESS_GROUP only: a group of this process */
} mb_object_options;

#define MB_OBJECT_OPTIONS_INIT                                                                                         \
    {                                                                                                                  \
        sizeof(mb_object_options), MB_LIFETIME_SESSION, MB_ACCESS_USER, 0u                                             \
    }

/*
 * Has the broker keep a copy of `data` (`bytes` of it, at most MB_OBJECT_BYTES_MAX) as the object `name`, in the place
 * of this user's object that had the name: a reader gets the old bytes or the new ones. Objects have names of their
 * own: mb_attach() finds none of them. They end with the broker. `options` NULL: all defaults. The memory is still the
 * caller's. If the connection breaks during the call, the call continues on the next connection, and the object may
 * have been put twice.
 *
 * -EMFILE: the user has as many objects, or as much memory for objects, as the broker allows. -ENOMEM: a limit on
 * memory of the user, its class or the host. -EACCES: this process is not in the group `gid`. -EINVAL: the name, the
 * size or an option is not valid. After an error the object of that name is what it was.
 */
MB_PUBLIC int mb_put(mb_client *client, const char *name, const void *data, size_t bytes,
                     const mb_object_options *options);

/*
 * Copies this user's object `name` into the buffer, and returns how many bytes it has. If these are more than `size`,
 * none is copied: call again with a larger buffer. All bytes are of one mb_put(). The buffer may be NULL if `size` is
 * 0. The name must not be in the buffer.
 *
 * Once a board is mapped, which the first call sees to, this asks the broker only if it finds no such object, or if the
 * objects change so fast that it can't read one whole. -ENOENT: there is no such object. After an error the content of
 * the buffer is undefined.
 */
MB_PUBLIC int mb_get(mb_client *client, const char *name, void *buffer, size_t size);

/* The same of the object `name` of the user with this number; asks the broker each time. -ENOENT: there is none, or
 * this user may not get it. */
MB_PUBLIC int mb_get_from(mb_client *client, uint32_t owner, const char *name, void *buffer, size_t size);

/* Ends this user's object `name`, which any process of the user may do. -ENOENT: there is none. */
MB_PUBLIC int mb_remove(mb_client *client, const char *name);

#ifdef __cplusplus
}
#endif

#endif
