/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workspaces: named arenas for programs that need about the same memory in each cycle. Included by <membroker.h>.
 *
 *     MB_WORKSPACE(scratch, return -errno) {           // one cycle; if it can't begin, the statement runs instead
 *         double *x = mb_alloc(n * sizeof *x);         // in the thread's current workspace: moves a pointer
 *     }                                                // all memory of the cycle is gone
 *
 * client/WORKSPACES.md is the guide. Workspaces behave like ND4J's; the guide lists the deliberate differences. Only
 * the thread that opened a workspace may use it, except for mb_ref_check(), mb_ref_state() and the two functions that
 * print. Common errors: see <membroker.h>.
 *
 * Scopes nest. Undo mb_workspace_enter(), mb_workspace_borrow() and mb_scope_out() in reverse order.
 *
 * MISUSE. With MB_CLIENT_CATCH_MISUSE, or MEMBROKER_MISUSE=1 in the environment, the library fills memory with 0xDD
 * when its cycle or its buffer ends (except the memory of mapped workspaces), puts spilled memory between guard pages,
 * and tells AddressSanitizer and valgrind which memory is alive. They then report a use after the end at its line. In
 * this mode an allocation is a function call.
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
    MB_LEARNING_FIRST_LOOP = 1, /* size from the first cycle that allocates */
    MB_LEARNING_OVER_TIME =
        2,               /* from the largest of cycles_before_initialization cycles, or at mb_workspace_initialize() */
    MB_LEARNING_NONE = 3 /* always initial_size */
} mb_learning_policy;

typedef enum mb_reset_policy {
    MB_RESET_BLOCK_LEFT = 0,         /* the arena is empty again at the end of each cycle */
    MB_RESET_ENDOFBUFFER_REACHED = 1 /* circular: starts again at the beginning when the end is reached */
} mb_reset_policy;

typedef enum mb_spill_policy {
    MB_SPILL_EXTERNAL = 0,   /* what does not fit is outside the arena until the end of the cycle */
    MB_SPILL_REALLOCATE = 1, /* the same, and the arena grows at the end of the cycle */
    MB_SPILL_FAIL = 2        /* what does not fit is an error */
} mb_spill_policy;

/* Only stored and reported: without a device the only copy is the host's. */
typedef enum mb_mirroring_policy { MB_MIRRORING_FULL = 0, MB_MIRRORING_HOST_ONLY = 1 } mb_mirroring_policy;

typedef struct mb_workspace_config {
    size_t size;                 /* of this structure; set by MB_WORKSPACE_CONFIG_INIT */
    uint64_t initial_size;       /* bytes at opening; 0: learned. With OVERALLOCATE it grows by overallocation_limit */
    uint64_t min_size, max_size; /* bounds of a learned size; 0: none. max_size also bounds a grown initial_size, and
                                    overrides min_size */
    double overallocation_limit; /* a fraction; at least 1.0 if circular with OVERALLOCATE */
    mb_allocation_policy allocation_policy;
    mb_learning_policy learning_policy;
    uint32_t cycles_before_initialization; /* OVER_TIME only; 0: only mb_workspace_initialize() sets the size */
    mb_reset_policy reset_policy;
    uint32_t steps_number; /* circular only: cycles in a turn; with OVERALLOCATE it is (int)overallocation_limit + 1 */
    mb_spill_policy spill_policy;
    mb_location location; /* with MMAP the size is neither learned nor overallocated */
    const char *file;     /* MMAP only: as mb_lease_options.file; an existing file that is longer sets the size */
    mb_mirroring_policy mirroring;
    uint32_t ttl_ms; /* of the workspace's leases; 0: the broker's default */
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
    MB_DEBUG_SPILL_EVERYTHING = 1, /* every allocation is a spill, and there is no arena */
    MB_DEBUG_BYPASS_EVERYTHING = 2 /* workspaces do nothing: allocations are valid until the workspace is closed */
} mb_debug_mode;

/*
 * The debug mode of the process. Before the first call, MEMBROKER_DEBUG sets it (spill, bypass). A change affects a
 * workspace when it is entered next. Any thread.
 */
MB_PUBLIC void mb_set_debug_mode(mb_debug_mode mode);
MB_PUBLIC mb_debug_mode mb_get_debug_mode(void);

/* ---- life ---- */

enum { MB_WORKSPACE_ALIGNMENT = 16 }; /* of the address and the size of every allocation */

/*
 * Opens a workspace of the calling thread, and leases its arena if it has an initial size. `config` NULL: all defaults.
 * The caller owns it and ends it with mb_workspace_close(). A thread that ends closes its workspaces, even if other
 * threads still read their memory. Returns the common errors, and -EEXIST if this thread has a workspace of that name.
 * The same name in another thread is another workspace.
 */
MB_PUBLIC int mb_workspace_open(mb_client *client, const char *name, const mb_workspace_config *config,
                                mb_workspace **ret_workspace);

/*
 * Returns the thread's workspace of that name, and opens it if there is none. -EEXIST: there is one whose configuration
 * is not `config` (NULL: any configuration). Close it once, however often this function returned it.
 */
MB_PUBLIC int mb_workspace_get(mb_client *client, const char *name, const mb_workspace_config *config,
                               mb_workspace **ret_workspace);

/*
 * Ends the open scopes of the workspace and releases all of its memory. NULL is allowed. References to the memory are
 * leaked. Touching the arena raises SIGSEGV, which MB_CLIENT_GUARD does not cover, until a workspace of the same name
 * and size is opened again: it may get the same memory. The library may keep the leases for that for a second (see
 * MB_LEASE_UNDEFINED_CONTENT).
 */
MB_PUBLIC void mb_workspace_close(mb_workspace *workspace);

/*
 * Closes every workspace of the calling thread, of all clients, and ends all scopes of the thread, including those that
 * mb_scope_out() opened. Another thread may disconnect a client meanwhile.
 */
MB_PUBLIC void mb_workspace_close_all(void);

/* Whether the calling thread has a workspace of this name, of any client; and whether its scope is open as well. */
MB_PUBLIC int mb_workspace_exists(const char *name);
MB_PUBLIC int mb_workspace_exists_and_active(const char *name);

/*
 * Lists the workspaces of the calling thread in the order in which they were opened. Writes at most `count` of them to
 * `ret`; the caller does not own them. Returns how many there are.
 */
MB_PUBLIC size_t mb_workspace_list(mb_workspace **ret, size_t count);

/* ---- scopes ---- */

/*
 * Begins a cycle. The arena is empty, unless it is circular. The workspace is the thread's current one until
 * mb_workspace_leave(). Entering the current workspace again only counts.
 * -ESTALE: the lease has ended, which one load detects; close the workspace and open it again.
 * -EBUSY: an outer scope of this thread has it open; borrow it instead.
 * -ENOMEM: its arena was released while it was idle and memory was short, and it can't be leased again now.
 */
MB_PUBLIC int mb_workspace_enter(mb_workspace *workspace);

/*
 * Undoes the newest enter or borrow of this workspace. The previous workspace is current again. -EINVAL: this workspace
 * is not the current one. At the end of a cycle the library releases spilled memory and, if it is time, sizes the
 * arena. If the broker refuses that, the workspace stays as it is and tries again after the next cycle.
 */
MB_PUBLIC int mb_workspace_leave(mb_workspace *workspace);

/*
 * Makes a workspace current that an outer scope has open. This begins no cycle: allocations belong to the cycle that is
 * open. -EINVAL: it is not open. -EBUSY: it is borrowed already. -ESTALE: its lease has ended.
 */
MB_PUBLIC int mb_workspace_borrow(mb_workspace *workspace);

/*
 * Checks the memory of the open cycle: returns 0, or -ESTALE if a lease under its arena, its spills or its pinned
 * memory has ended. In that case the program can't rely on data that it read from this memory: leave the workspace,
 * close it and open it again (client/WORKSPACES.md, "When a lease is lost"). Call this at the end of a cycle, before
 * the results are used. It is one load for each lease: no system call, no message. Only the workspace's thread may call
 * it.
 */
MB_PUBLIC int mb_workspace_check(const mb_workspace *workspace);

/*
 * mb_scope_out() makes no workspace current, until mb_scope_in() restores the previous one. -EINVAL: there is nothing
 * to undo.
 */
MB_PUBLIC int mb_scope_out(void);
MB_PUBLIC int mb_scope_in(void);

/* The thread's current workspace, or NULL; and whether a workspace is open in this thread (entered or borrowed). */
MB_PUBLIC mb_workspace *mb_workspace_current(void);
MB_PUBLIC int mb_workspace_is_active(const mb_workspace *workspace);

/*
 * Sizes the arena now from what was learned. Does nothing if it has a size, if nothing was learned, or while a scope of
 * the workspace is open that has an arena. Returns the common errors.
 */
MB_PUBLIC int mb_workspace_initialize(mb_workspace *workspace);

/*
 * Turns the arena off (0) or on. While it is off, allocations are outside the arena, and the workspace does not learn
 * from them. They live as long as spills: until the end of the cycle, or longer in a circular workspace. The end of a
 * cycle turns the arena on again.
 */
MB_PUBLIC void mb_workspace_toggle(mb_workspace *workspace, int use);

/* ---- allocating ---- */

#define MB_ZEROED 1u /* the memory is zero */

/*
 * Allocates by moving a pointer. If it fits the arena, this takes no system call, no lock and no message. `bytes` is
 * rounded up to MB_WORKSPACE_ALIGNMENT. The memory is valid until the cycle ends (circular: until it is overwritten, or
 * released if it is outside the arena). It contains old data of this process. NULL: no scope is open, or it
 * does not fit and can't be spilled. mb_last_error() then has the sizes, and errno has the code.
 */
MB_PUBLIC void *mb_workspace_alloc(mb_workspace *workspace, size_t bytes);

/* The same with an alignment (a power of two, at most 4096; less than 16 means 16) and MB_ZEROED or 0. */
MB_PUBLIC void *mb_workspace_alloc_aligned(mb_workspace *workspace, size_t bytes, size_t alignment, unsigned flags);

/* Allocates in the thread's current workspace. NULL with EINVAL if there is none; mb_buffer_create() needs none. */
MB_PUBLIC void *mb_alloc(size_t bytes);

/* What mb_workspace_alloc() does if the arena has no room. Do not call it directly. */
MB_PUBLIC void *mb_workspace_alloc_slow(mb_workspace *workspace, size_t bytes);

/*
 * The public head of a workspace, so that the compiler can inline mb_workspace_alloc(). The room between the two
 * pointers is always a multiple of MB_WORKSPACE_ALIGNMENT, and zero outside a cycle. Only the library writes it.
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

/* An address and its origin. It is a plain value: copies are equivalent. */
typedef struct mb_ref {
    void *data;
    size_t bytes;
    mb_buffer *buffer;   /* adds no reference; NULL: it belongs to a workspace */
    const void *origin;  /* private */
    uint64_t workspace;  /* the workspace's number in this process */
    uint64_t generation; /* of the workspace when the memory was allocated */
    uint64_t position;   /* its position in the workspace; private */
} mb_ref;

typedef enum mb_ref_validity {
    MB_REF_VALID = 0,
    MB_REF_LEAKED = 1,   /* the scope that it was allocated in has ended, or the workspace was closed */
    MB_REF_OUTDATED = 2, /* the workspace was entered again (circular: it is overwritten or released) */
    MB_REF_LOST = 3      /* the lease has ended; only the workspace's thread sees this */
} mb_ref_validity;

/*
 * Makes a reference to memory that was allocated in the present generation of the workspace. If the workspace did not
 * allocate the memory, the reference is leaked.
 */
MB_PUBLIC mb_ref mb_workspace_ref(mb_workspace *workspace, void *data, size_t bytes);

/*
 * Returns 0, or -ESTALE with a sentence that names the workspace, the reference's generation and the present one. In a
 * forked child always -ESTALE. No lock, no system call. Any thread; but if the owner enters or leaves the workspace at
 * the same time, the answer may already be out of date.
 */
MB_PUBLIC int mb_ref_check(const mb_ref *ref);
MB_PUBLIC mb_ref_validity mb_ref_state(const mb_ref *ref);

/* ---- statistics ---- */

typedef struct mb_workspace_statistics {
    uint64_t current_size;       /* of the arena */
    uint64_t offset;             /* where the next allocation begins; at most current_size */
    uint64_t initial_block_size; /* learned, before overallocation; circular: the block of a cycle */
    uint64_t this_cycle_bytes, last_cycle_bytes, max_cycle_bytes;
    uint64_t spilled_bytes, spilled_count;             /* held now */
    uint64_t pinned_bytes, pinned_count;               /* held now */
    uint64_t total_spilled_bytes, total_spilled_count; /* since the workspace was opened */
    uint64_t total_pinned_bytes, total_pinned_count;
    uint64_t cycles, steps, generation;
    uint64_t sizings, sizings_refused; /* how often the arena was leased, and how often the broker refused it */
    mb_location location;              /* of the arena; without one, as configured */
    mb_mirroring_policy mirroring;
} mb_workspace_statistics;

MB_PUBLIC void mb_workspace_stats(const mb_workspace *workspace, mb_workspace_statistics *ret);

/* Prints a table of the calling thread's workspaces, for people. */
MB_PUBLIC void mb_workspace_print_stats(FILE *out);

MB_PUBLIC const char *mb_workspace_name(const mb_workspace *workspace);
MB_PUBLIC uint64_t mb_workspace_size(const mb_workspace *workspace);   /* current_size */
MB_PUBLIC uint64_t mb_workspace_offset(const mb_workspace *workspace); /* offset */

/*
 * The lease of the arena, owned by the workspace; NULL: there is none now. After this call only the thread itself
 * releases the arena, however long it is idle.
 */
MB_PUBLIC mb_lease *mb_workspace_lease(mb_workspace *workspace);

/* ---- a scope that ends however the program leaves its block ---- */

/*
 * MB_WORKSPACE(ws, otherwise) { ... } enters the workspace, runs the block once, and leaves the workspace however the
 * block ends: at its end, by break, continue, return or goto (but not by longjmp). If entering fails, the statement
 * `otherwise` runs instead of the block; errno and mb_last_error() say why it failed.
 *
 *     MB_WORKSPACE(scratch, return -errno) {
 *         ...
 *     }
 *
 * `otherwise` is outside the block. A break or continue in it applies to the surrounding loop; a return or goto works
 * as usual. After any other statement the program continues after the block. The block itself is a loop that runs once:
 * break and continue in it end only the block. To leave a surrounding loop from inside the block, use goto. `ws` is
 * evaluated once. Blocks nest. MB_SCOPED_OUT(otherwise) { ... } does the same for mb_scope_out().
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

/* For the macros. */
typedef struct mb_workspace_scope {
    mb_workspace *workspace; /* NULL: mb_scope_out() */
    int done;
} mb_workspace_scope;

MB_PUBLIC mb_workspace_scope mb_workspace_scope_newest(void);

/* Does nothing if the block itself left or closed the workspace. */
MB_PUBLIC void mb_workspace_scope_end(mb_workspace_scope *scope);

#ifdef __cplusplus
}
#endif

#endif
