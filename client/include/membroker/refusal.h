/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of a refusal. Included by <membroker.h>.
 *
 *     mb_refusal refusal = MB_REFUSAL_INIT;
 *     if (mb_acquire(client, bytes, NULL, &lease) < 0) {
 *         if (mb_last_refusal(&refusal) == 0 && refusal.free_bytes > 0) ... // ask for less
 *     }
 */
#ifndef MEMBROKER_REFUSAL_H
#define MEMBROKER_REFUSAL_H

#include <membroker.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The limits that a refusal names. A later broker may have more of them. */
typedef enum mb_limit_kind {
    MB_LIMIT_KIND_OTHER = 0,            /* one that this library does not know; `limit` has its name */
    MB_LIMIT_KIND_BYTES = 1,            /* max_bytes */
    MB_LIMIT_KIND_PHYSICAL_BYTES = 2,   /* max_physical_bytes */
    MB_LIMIT_KIND_MAPPED_BYTES = 3,     /* max_mapped_bytes */
    MB_LIMIT_KIND_LEASES = 4,           /* max_leases: the figures count leases, not bytes */
    MB_LIMIT_KIND_AVAILABLE_MEMORY = 5, /* the RAM that the host has available; not a setting */
    MB_LIMIT_KIND_PAUSED = 6,           /* pause_ram_at: memory pressure has paused grants of RAM */
    MB_LIMIT_KIND_DISK_SPACE = 7,       /* what the spill file system has free; not a setting */
    MB_LIMIT_KIND_BLOCKS = 8,           /* max_blocks, and what follows: as of max_leases, the figures are numbers */
    MB_LIMIT_KIND_VIEWS = 9,            /* max_views */
    MB_LIMIT_KIND_OBJECTS = 10,         /* max_objects */
    MB_LIMIT_KIND_BOARD_BYTES = 11,     /* max_board_bytes: the figures are in bytes */
    MB_LIMIT_KIND_WATCHES = 12,         /* max_watches */
    MB_LIMIT_KIND_USER_WATCHES = 13     /* max_watches_per_user */
} mb_limit_kind;

/* A session that holds memory under the limit, or whose request waits for it; or a published block. */
typedef struct mb_holder {
    uint64_t session; /* its number; 0: a block, or of another user, of whom the broker tells only `uid` and `bytes` */
    uint64_t bytes;
    char name[64]; /* of the client or the block */
    int32_t pid;   /* 0 if `session` is 0 */
    uint32_t uid;
} mb_holder;

#define MB_HOLDERS_MAX 3

/*
 * Which limit refused a request, and by how much. A copy: it refers to no memory of the library's. Bytes are whole
 * pages; limits on numbers, such as max_leases and max_blocks, have numbers instead. A limit of UINT64_MAX is none.
 * What the broker did not say is 0 or empty.
 */
typedef struct mb_refusal {
    size_t size; /* of this structure; set by MB_REFUSAL_INIT */
    mb_limit_kind kind;
    char limit[32]; /* the name of the setting, as in the configuration */
    char whose[48]; /* "host", "client", "user NAME", "group NAME" or "class NAME" */
    uint64_t limit_bytes;
    uint64_t asked_bytes;
    uint64_t used_bytes;     /* of the limit; MB_LIMIT_KIND_AVAILABLE_MEMORY: promised to recent grants */
    uint64_t free_bytes;     /* the most that a request could have now */
    uint64_t reserved_bytes; /* of the limit: reserved for others */
    uint64_t claimed_bytes;  /* of the limit: claimed by requests that wait */
    uint64_t pool_bytes;     /* of used_bytes: held by the broker's pool, which can't release them immediately */
    unsigned holder_count;
    unsigned ahead_count;
    mb_holder holders[MB_HOLDERS_MAX]; /* who holds the most, the largest first */
    mb_holder ahead[MB_HOLDERS_MAX];   /* whose requests wait and go first; `bytes` is what each asks for */
} mb_refusal;

#define MB_REFUSAL_INIT                                                                                                \
    {                                                                                                                  \
        sizeof(mb_refusal), MB_LIMIT_KIND_OTHER, "", "", 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, {{0u, 0u, "", 0, 0u}},    \
        {                                                                                                              \
            {                                                                                                          \
                0u, 0u, "", 0, 0u                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

/*
 * Copies the figures of the refusal that mb_last_error() explains, of the calling thread. The caller owns
 * *ret_refusal and initializes it with MB_REFUSAL_INIT; its `size` stays as it is. No message, and mb_last_error()
 * keeps its sentence.
 *
 * -ENODATA: the last call succeeded, or failed for another reason, or the broker knows no figures, as when the kernel
 * has no huge pages. -EINVAL: `ret_refusal` does not begin as MB_REFUSAL_INIT. Any thread.
 */
MB_PUBLIC int mb_last_refusal(mb_refusal *ret_refusal);

/*
 * Whether the same request may fit later, when others have released memory: 1, or 0 if the limit is a setting that is
 * smaller than the request, so that neither waiting nor freeing memory helps. `refusal` is as mb_last_refusal() gave
 * it. It can't fail, and sets no message. Any thread.
 */
MB_PUBLIC int mb_refusal_may_fit_later(const mb_refusal *refusal);

#ifdef __cplusplus
}
#endif

#endif
