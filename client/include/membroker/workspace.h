/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workspaces: named arenas for memory that is needed again and again in cycles. Included by <membroker.h>.
 *
 *     MB_WORKSPACE(scratch, return -errno) {           // one cycle; the statement runs if it can't be entered
 *         double *x = mb_alloc(n * sizeof *x);         // in the thread's current workspace: moves a pointer
 *     }                                                // everything of the cycle is gone
 *
 * client/WORKSPACES.md teaches them. The behaviour is that of ND4J's workspaces; where it differs on
 * purpose, that page says so. Everything here belongs to one thread: a workspace may only be used by the thread
 * that opened it, except for mb_ref_check(), mb_ref_state() and the two functions that print.
 *
 * Scopes nest: mb_workspace_enter(), mb_workspace_borrow() and mb_scope_out() are undone in reverse order.
 *
 * MISUSE. With MB_CLIENT_CATCH_MISUSE, or MEMBROKER_MISUSE=1 in the environment, memory is filled with 0xDD when its
 * cycle or its buffer ends (a mapped workspace's bytes are kept), spilled memory lies between guard pages, and
 * AddressSanitizer and valgrind are told what is alive, so that a use after the end is reported at its line. Allocating
 * then costs a call.
 */
#ifndef MEMBROKER_WORKSPACE_H
#define MEMBROKER_WORKSPACE_H

#ifndef MEMBROKER_H
#error "include <membroker.h>"
#endif

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- configuration ---- */

typedef enum mb_allocation_policy {
    MB_ALLOCATION_OVERALLOCATE = 0, /* an initial or learned size grows by overallocation_limit, once */
    MB_ALLOCATION_STRICT = 1
} mb_allocation_policy;

typedef enum mb_learning_policy {
    MB_LEARNING_DEFAULT = 0,    /* FIRST_LOOP; NONE in location MMAP */
    MB_LEARNING_FIRST_LOOP = 1, /* size from the first cycle that allocated anything */
    MB_LEARNING_OVER_TIME =
        2,               /* from the largest of cycles_before_initialization cycles, or at mb_workspace_initialize() */
    MB_LEARNING_NONE = 3 /* initial_size for ever */
} mb_learning_policy;

typedef enum mb_reset_policy {
    MB_RESET_BLOCK_LEFT = 0,         /* the arena is empty again at the end of each cycle */
    MB_RESET_ENDOFBUFFER_REACHED = 1 /* circular: it begins anew when its end is reached */
} mb_reset_policy;

typedef enum mb_spill_policy {
    MB_SPILL_EXTERNAL = 0,   /* what does not fit lies outside the arena, until the cycle's end */
    MB_SPILL_REALLOCATE = 1, /* so too, and the arena grows at the cycle's end */
    MB_SPILL_FAIL = 2        /* what does not fit is an error */
} mb_spill_policy;

typedef enum mb_mirroring_policy { /* kept and reported: without a device there is one copy, the host's */
                                   MB_MIRRORING_FULL = 0,
                                   MB_MIRRORING_HOST_ONLY = 1
} mb_mirroring_policy;

typedef struct mb_workspace_config {
    size_t size;           /* of this structure; set by MB_WORKSPACE_CONFIG_INIT */
    uint64_t initial_size; /* bytes at opening; 0: learned. STRICT, or grown by overallocation_limit */
    uint64_t min_size,
        max_size; /* bounds of a learned size; max_size also of a grown initial_size, and wins; 0: none */
    double overallocation_limit; /* share; circular with OVERALLOCATE: at least 1.0 */
    mb_allocation_policy allocation_policy;
    mb_learning_policy learning_policy;
    uint32_t cycles_before_initialization; /* OVER_TIME only; 0: only mb_workspace_initialize() sizes */
    mb_reset_policy reset_policy;
    uint32_t steps_number; /* circular only: cycles in a turn; with OVERALLOCATE it is (int)overallocation_limit + 1 */
    mb_spill_policy spill_policy;
    mb_location location; /* MMAP: never learned nor overallocated */
    const char *file;     /* MMAP only: as mb_lease_options.file; a longer existing file sets the size */
    mb_mirroring_policy mirroring;
    uint32_t ttl_ms; /* of the leases below; 0: the broker's default */
    mb_huge_pages huge_pages;
    int32_t numa_node; /* -1: no binding */
    int prefault;
} mb_workspace_config;

#define MB_WORKSPACE_CONFIG_INIT                                                                                       \
    {                                                                                                                  \
        sizeof(mb_workspace_config), 0, 0, 0, 0.3, MB_ALLOCATION_OVERALLOCATE, MB_LEARNING_DEFAULT, 0,                 \
            MB_RESET_BLOCK_LEFT, 2, MB_SPILL_EXTERNAL, MB_LOCATION_RAM, NULL, MB_MIRRORING_FULL, 0u,                   \
            MB_HUGE_PAGES_NEVER, -1, 0                                                                                 \
    }

typedef enum mb_debug_mode {
    MB_DEBUG_DISABLED = 0,
    MB_DEBUG_SPILL_EVERYTHING = 1, /* every allocation is a spill, and nothing is sized */
    MB_DEBUG_BYPASS_EVERYTHING = 2 /* workspaces do nothing: what is allocated is valid until the workspace is closed */
} mb_debug_mode;

/*
 * For the whole process; before the first call it is what MEMBROKER_DEBUG says (spill, bypass). A workspace takes
 * a change up when it is entered next. Any thread.
 */
MB_PUBLIC void mb_set_debug_mode(mb_debug_mode mode);
MB_PUBLIC mb_debug_mode mb_get_debug_mode(void);

/* ---- life ---- */

enum { MB_WORKSPACE_ALIGNMENT = 16 }; /* of every allocation, in address and in size */

/*
 * Opens a workspace of the calling thread, and leases its arena if it has an initial size. `config` NULL: all defaults.
 * The caller owns it and ends it with mb_workspace_close(); a thread that ends closes its own, whatever other threads
 * still read of them. The common errors, and
 * -EEXIST: this thread has one of that name (in another thread the same name is another workspace).
 */
MB_PUBLIC int mb_workspace_open(mb_client *client, const char *name, const mb_workspace_config *config,
                                mb_workspace **ret_workspace);

/*
 * The thread's workspace of that name, opened if there is none. -EEXIST: there is one with another
 * configuration than `config` (NULL: any will do). It is still closed once only.
 */
MB_PUBLIC int mb_workspace_get(mb_client *client, const char *name, const mb_workspace_config *config,
                               mb_workspace **ret_workspace);

/*
 * Gives all of its memory back; scopes of it that are open end. NULL is allowed. The memory is unmapped: from here on
 * references to it are leaked, and touching it is SIGSEGV, which MB_CLIENT_GUARD does not cover.
 */
MB_PUBLIC void mb_workspace_close(mb_workspace *workspace);

/*
 * Closes every workspace of the calling thread, of all clients, and ends all of its scopes; those that
 * mb_scope_out() opened too.
 */
MB_PUBLIC void mb_workspace_close_all(void);

/* Whether the calling thread has a workspace of this name (any client's), and whether its scope is open too. */
MB_PUBLIC int mb_workspace_exists(const char *name);
MB_PUBLIC int mb_workspace_exists_and_active(const char *name);

/*
 * The calling thread's workspaces, in the order of their opening: writes at most `count` of them (borrowed) to
 * `ret`, and returns how many there are.
 */
MB_PUBLIC size_t mb_workspace_list(mb_workspace **ret, size_t count);

/* ---- scopes ---- */

/*
 * Begins a cycle: the arena is empty (unless circular), and the workspace is the thread's current one until
 * mb_workspace_leave(). Entering the current one again only counts. One load tells whether the lease is alive: -ESTALE
 * if not: close it then, and open it anew. -EBUSY: it is open further out in this thread; borrow it. -ENOMEM: it was
 * idle while memory was short, so that its arena was given back, and another can't be had now.
 */
MB_PUBLIC int mb_workspace_enter(mb_workspace *workspace);

/*
 * Undoes the newest enter or borrow of this workspace, which must be the current one (-EINVAL otherwise): the
 * workspace before it is current again. At the end of a cycle spilled memory is given back and the arena is sized
 * if it is time; where the broker refuses that, the workspace goes on as it is and tries again after the next cycle.
 */
MB_PUBLIC int mb_workspace_leave(mb_workspace *workspace);

/*
 * Makes a workspace current that is open further out, without beginning a cycle: what is allocated belongs to the cycle
 * that it is in. -EINVAL: it is not open. -EBUSY: it is borrowed already. -ESTALE: its lease has ended.
 */
MB_PUBLIC int mb_workspace_borrow(mb_workspace *workspace);

/*
 * Whether what the open cycle has allocated is still the workspace's: 0, or -ESTALE if a lease under its arena, its
 * spills or its pinned memory has ended since. Then nothing that was read from it since can be relied on: leave the
 * workspace, close it and open it anew (client/WORKSPACES.md, "When a lease is lost"). Call it at a cycle's end, before
 * results are used. A load for each lease; no system call, no message. Its own thread only.
 */
MB_PUBLIC int mb_workspace_check(const mb_workspace *workspace);

/* No workspace is current from here on, until mb_scope_in() restores the one before. -EINVAL: nothing to undo. */
MB_PUBLIC int mb_scope_out(void);
MB_PUBLIC int mb_scope_in(void);

/* The thread's current workspace, or NULL; and whether it is open at all in this thread (entered or borrowed). */
MB_PUBLIC mb_workspace *mb_workspace_current(void);
MB_PUBLIC int mb_workspace_is_active(const mb_workspace *workspace);

/*
 * Sizes the arena now from what was learned. Does nothing if it has a size, if nothing was learned, or while a scope of
 * it is open that has an arena. The common errors.
 */
MB_PUBLIC int mb_workspace_initialize(mb_workspace *workspace);

/*
 * Use off (0): allocations go past the arena and are not learned from. They live as long as spills do: to the cycle's
 * end, or in a circular workspace beyond it. The end of a cycle switches it on again.
 */
MB_PUBLIC void mb_workspace_toggle(mb_workspace *workspace, int use);

/* ---- allocating ---- */

#define MB_ZEROED 1u /* the memory is zero */

/*
 * Allocates by moving a pointer: no system call, no lock, no message, as long as it fits the arena. `bytes` is rounded
 * up to MB_WORKSPACE_ALIGNMENT. The memory is valid until the cycle ends (circular: until it is overwritten, or given
 * back if it lies outside the arena); it holds what was there before (zero in a new arena). NULL: no scope is open, or
 * it does not fit and can't be spilled; mb_last_error() has the sizes and errno the code.
 */
MB_PUBLIC void *mb_workspace_alloc(mb_workspace *workspace, size_t bytes);

/* The same with an alignment (a power of two, at most 4096; less than 16 means 16) and MB_ZEROED or 0. */
MB_PUBLIC void *mb_workspace_alloc_aligned(mb_workspace *workspace, size_t bytes, size_t alignment, unsigned flags);

/* In the thread's current workspace. NULL with -EINVAL when there is none: mb_buffer_create() needs none. */
MB_PUBLIC void *mb_alloc(size_t bytes);

/* What mb_workspace_alloc() does when the arena has no room. Not to be called directly. */
MB_PUBLIC void *mb_workspace_alloc_slow(mb_workspace *workspace, size_t bytes);

/*
 * The public head of a workspace: what lets the compiler put mb_workspace_alloc() into the caller. The room
 * between the two is always a multiple of MB_WORKSPACE_ALIGNMENT, and none outside a cycle. For the library to write.
 */
struct mb_workspace_arena {
    char *next; /* where the next allocation begins */
    char *end;
};

#if defined(__GNUC__) && !defined(MB_NO_INLINE)
extern inline __attribute__((__gnu_inline__)) void *mb_workspace_alloc(mb_workspace *workspace, size_t bytes)
{
    struct mb_workspace_arena *arena = (struct mb_workspace_arena *)(void *)workspace;
    char *allocated = arena->next;
    if (__builtin_expect(bytes > (size_t)(arena->end - allocated), 0)) {
        return mb_workspace_alloc_slow(workspace, bytes);
    }
    arena->next = allocated + ((bytes + (MB_WORKSPACE_ALIGNMENT - 1)) & ~(size_t)(MB_WORKSPACE_ALIGNMENT - 1));
    return allocated;
}
#endif

/* ---- references ---- */

/* An address together with where it came from. A plain value; copies are as good. */
typedef struct mb_ref {
    void *data;
    size_t bytes;
    mb_buffer *buffer;   /* borrowed; NULL: it is a workspace's */
    const void *origin;  /* the library's */
    uint64_t workspace;  /* the workspace's number in this process */
    uint64_t generation; /* of the workspace when the memory was allocated */
    uint64_t position;   /* where it lies in the workspace; the library's */
} mb_ref;

typedef enum mb_ref_validity {
    MB_REF_VALID = 0,
    MB_REF_LEAKED = 1,   /* the scope that it was allocated in has ended, or the workspace was closed */
    MB_REF_OUTDATED = 2, /* the workspace has been entered again since (circular: it is overwritten or given back) */
    MB_REF_LOST = 3      /* the lease below has ended; only the workspace's own thread sees that */
} mb_ref_validity;

/*
 * A reference to memory that was just allocated in the workspace's present generation. Of memory that the workspace did
 * not hand out the reference is leaked.
 */
MB_PUBLIC mb_ref mb_workspace_ref(mb_workspace *workspace, void *data, size_t bytes);

/*
 * 0, or -ESTALE (in a forked child always) with the sentence that names the workspace, the reference's generation and
 * the present one. No lock, no system call. Any thread, but beside the owner's entering and leaving the answer is old
 * at once.
 */
MB_PUBLIC int mb_ref_check(const mb_ref *ref);
MB_PUBLIC mb_ref_validity mb_ref_state(const mb_ref *ref);

/* ---- statistics ---- */

typedef struct mb_workspace_statistics {
    uint64_t current_size;       /* of the arena */
    uint64_t offset;             /* where the next allocation begins; at most current_size */
    uint64_t initial_block_size; /* learned, before overallocation; circular: what a cycle consumes */
    uint64_t this_cycle_bytes, last_cycle_bytes, max_cycle_bytes;
    uint64_t spilled_bytes, spilled_count;             /* held now */
    uint64_t pinned_bytes, pinned_count;               /* held now */
    uint64_t total_spilled_bytes, total_spilled_count; /* since the opening */
    uint64_t total_pinned_bytes, total_pinned_count;
    uint64_t cycles, steps, generation;
    uint64_t sizings, sizings_refused; /* how often the arena was made, and how often the broker refused it */
    mb_location location;              /* of the arena; of the configuration while there is none */
    mb_mirroring_policy mirroring;
} mb_workspace_statistics;

MB_PUBLIC void mb_workspace_stats(const mb_workspace *workspace, mb_workspace_statistics *ret);

/* A table of the calling thread's workspaces, for people. */
MB_PUBLIC void mb_workspace_print_stats(FILE *out);

MB_PUBLIC const char *mb_workspace_name(const mb_workspace *workspace);
MB_PUBLIC uint64_t mb_workspace_size(const mb_workspace *workspace);   /* current_size */
MB_PUBLIC uint64_t mb_workspace_offset(const mb_workspace *workspace); /* offset */

/* The arena's; borrowed; NULL: there is none now. From now on the library leaves it to the thread, however idle it is.
 */
MB_PUBLIC mb_lease *mb_workspace_lease(mb_workspace *workspace);

/* ---- a scope that is left on every way out of its block ---- */

/*
 * MB_WORKSPACE(ws, otherwise) { ... } enters, runs the block once, and leaves it on every way out of the block: at its
 * end, by break, continue, return or goto (not by longjmp). If entering fails, the statement `otherwise` runs instead
 * of the block; errno and mb_last_error() say why it failed.
 *
 *     MB_WORKSPACE(scratch, return -errno) {
 *         ...
 *     }
 *
 * `otherwise` stands outside of the block: a break or continue in it is one of the loop around, a return or goto
 * leaves the function as usual. If it does not leave, the program goes on behind the block. The block itself is a loop
 * that runs once: break and continue in it end the block only. To leave a loop around it from inside, use goto.
 * `ws` is evaluated once. Blocks nest. MB_SCOPED_OUT(otherwise) { ... } is the same for mb_scope_out().
 */
#if defined(__GNUC__)
#define MB_SCOPE_NAME_(line) mb_scope_of_line_##line
#define MB_SCOPE_NAME(line)  MB_SCOPE_NAME_(line)
#define MB_SCOPE_LOOP(begun, otherwise)                                                                                \
    if ((begun) < 0) {                                                                                                 \
        otherwise;                                                                                                     \
    } else                                                                                                             \
        for (mb_workspace_scope MB_SCOPE_NAME(__LINE__)                                                                \
                 __attribute__((__cleanup__(mb_workspace_scope_end))) = mb_workspace_scope_newest();                   \
             !MB_SCOPE_NAME(__LINE__).done; MB_SCOPE_NAME(__LINE__).done = 1)
#define MB_WORKSPACE(workspace, otherwise) MB_SCOPE_LOOP(mb_workspace_enter(workspace), otherwise)
#define MB_SCOPED_OUT(otherwise)           MB_SCOPE_LOOP(mb_scope_out(), otherwise)
#endif

/* What the macros are made of. */
typedef struct mb_workspace_scope {
    mb_workspace *workspace; /* NULL: scoped out */
    int done;
} mb_workspace_scope;

MB_PUBLIC mb_workspace_scope mb_workspace_scope_newest(void);

/* Nothing is left if the block has closed the workspace, or left it itself. */
MB_PUBLIC void mb_workspace_scope_end(mb_workspace_scope *scope);

#ifdef __cplusplus
}
#endif

#endif
