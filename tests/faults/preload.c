/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into the daemon: each call of FAULT_CALLS goes through here, and fails where the control page says so. The
 * headers that declare the calls are left out, since some are variadic or change names: arguments are passed on as they
 * came, one register each.
 */
#include "tests/faults/fault_control.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>

typedef long word;

typedef struct {
    const char *file;
    void *file_begins;
    const char *symbol;
    void *symbol_begins;
} symbol_at; /* Dl_info */

int dladdr(const void *address, symbol_at *ret);
char *strstr(const char *text, const char *part);
int backtrace(void **frames, int count);
void backtrace_symbols_fd(void *const *frames, int count, int fd);

void *dlsym(void *handle, const char *name);
char *getenv(const char *name);
int *__errno_location(void);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);
size_t malloc_usable_size(void *memory);

#define NEXT ((void *)-1L) /* RTLD_NEXT */

enum {
    FRAMES = 12,
    STANDARD_ERROR = 2,
    EINTR_ERROR = 4,
    ENOMEM_ERROR = 12,
    PROT_READ_WRITE = 3,
    SHARED = 1,
    OPEN_READ_WRITE = 2
};

static struct fault_control *control;
static bool counts_heap = true;

int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

/* A worker has a copy of the daemon's heap, whose end is none of the daemon's. */
static void become_child(void)
{
    counts_heap = false;
}

/* Before main(): the control page, by the calls themselves, which do not strike yet. */
__attribute__((constructor)) static void begin(void)
{
    word (*really_open)(const char *, word, word) = (word(*)(const char *, word, word))dlsym(NEXT, "open");
    void *(*really_map)(void *, word, word, word, word, word) =
        (void *(*)(void *, word, word, word, word, word))dlsym(NEXT, "mmap");
    const char *path = getenv(FAULT_CONTROL);
    word fd = path ? really_open(path, OPEN_READ_WRITE, 0) : -1;
    void *page = (int)fd >= 0 ? really_map(NULL, sizeof *control, PROT_READ_WRITE, SHARED, fd, 0) : (void *)-1L;
    word (*really_close)(word) = (word(*)(word))dlsym(NEXT, "close");
    (void)really_close(fd);
    void *frames[1];
    (void)backtrace(frames, 1); /* the first call allocates */
    (void)pthread_atfork(NULL, NULL, become_child);
    control = page == (void *)-1L ? NULL : page;
    if (control) { /* the heap of a daemon before is none of ours */
        atomic_store(&control->live_bytes, 0);
        atomic_store(&control->live_blocks, 0);
    }
}

/* The C library, its loader, and this library. */
static bool is_between(const char *file)
{
    return strstr(file, "/libc.so") || strstr(file, "/ld-linux") || strstr(file, "/preload.so");
}

/* Whether this call shall fail: its error, or 0. */
static __attribute__((noinline)) int strike(enum fault_call call)
{
    if (!control) {
        return 0;
    }
    (void)atomic_fetch_add(&control->calls[call], 1);
    if (atomic_load(&control->call) != (int)call || atomic_load(&control->countdown) <= 0 ||
        atomic_fetch_sub(&control->countdown, 1) != 1) {
        return 0;
    }
    void *frames[FRAMES]; /* this function, the call, who called it */
    symbol_at caller;
    int count = backtrace(frames, FRAMES), at = 2;
    bool is_known = count > at && dladdr(frames[at], &caller) != 0;
    /* calls that the C library or this one makes for libuv (a thread's memory) count as libuv's */
    while (is_known && ++at < count && is_between(caller.file)) {
        is_known = dladdr(frames[at], &caller) != 0;
    }
    atomic_store(&control->was_in_libuv, is_known && strstr(caller.file, "/libuv.so") != NULL);
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STANDARD_ERROR); /* to the daemon's log: where it struck */
    return atomic_load(&control->error);
}

static word fail(int error)
{
    *__errno_location() = error;
    return -1;
}

typedef word (*function)(word, word, word, word, word, word);

static function next(function *known, const char *name)
{
    if (!*known) {
        *known = (function)dlsym(NEXT, name);
    }
    return *known;
}

#define PARAMETERS word a, word b, word c, word d, word e, word f
#define ARGUMENTS  a, b, c, d, e, f

/* `symbol` is how a caller names it; `call` how the sweep does */
#define WRAP_AS(symbol, call, on_failure)                                                                              \
    word symbol(PARAMETERS);                                                                                           \
    word symbol(PARAMETERS)                                                                                            \
    {                                                                                                                  \
        static function real;                                                                                          \
        int error = strike(FAULT_##call);                                                                              \
        return error ? (on_failure) : next(&real, #symbol)(ARGUMENTS);                                                 \
    }
#define WRAP(call)        WRAP_AS(call, call, fail(error))
#define WRAP_OBJECT(call) WRAP_AS(call, call, (fail(error), 0)) /* returns NULL */
#define WRAP_CODE(call)   WRAP_AS(call, call, error)            /* returns the error itself */
/* the descriptor or mapping is gone even so, as the kernel does it */
#define WRAP_ENDING(call) WRAP_AS(call, call, (next(&real, #call)(ARGUMENTS), fail(error)))
/*
 * Half of the bytes, which are the third argument. What libuv reads and writes is its own pipes and events, where the
 * kernel may interrupt it and nothing else.
 */
static bool is_impossible(int error)
{
    return atomic_load(&control->was_in_libuv) && error != EINTR_ERROR;
}

#define WRAP_PARTIAL(call)                                                                                             \
    WRAP_AS(call, call,                                                                                                \
            is_impossible(error)   ? next(&real, #call)(ARGUMENTS)                                                     \
            : error != FAULT_SHORT ? fail(error)                                                                       \
                                   : next(&real, #call)(a, b, c > 1 ? c / 2 : c, d, e, f))

WRAP(accept4)
WRAP(bind)
WRAP(chmod)
WRAP(chown)
WRAP_ENDING(close)
WRAP(connect)
WRAP(epoll_create1)
WRAP(epoll_ctl)
WRAP(epoll_wait)
WRAP_AS(epoll_pwait, epoll_wait, fail(error))
WRAP(eventfd)
WRAP(fallocate)
WRAP(fchmod)
WRAP(fchown)
WRAP(fcntl)
WRAP_AS(fcntl64, fcntl, fail(error))
WRAP_OBJECT(fdopendir)
WRAP(flock)
WRAP_OBJECT(fopen)
WRAP_AS(fopen64, fopen, (fail(error), 0))
WRAP(fstat)
WRAP_AS(fstat64, fstat, fail(error))
WRAP(fstatat)
WRAP_AS(fstatat64, fstatat, fail(error))
WRAP(fstatvfs)
WRAP_AS(fstatvfs64, fstatvfs, fail(error))
WRAP(fsync)
WRAP(ftruncate)
WRAP_AS(ftruncate64, ftruncate, fail(error))
WRAP(getrandom)
WRAP(getrlimit)
WRAP_AS(getrlimit64, getrlimit, fail(error))
WRAP(getsockopt)
WRAP(ioctl)
WRAP(listen)
WRAP(lstat)
WRAP_AS(lstat64, lstat, fail(error))
WRAP(madvise)
WRAP(mbind)
WRAP(memfd_create)
WRAP(mkdir)
WRAP(mmap)
WRAP_AS(mmap64, mmap, fail(error))
WRAP(mremap)
WRAP_ENDING(munmap)
WRAP(open)
WRAP_AS(open64, open, fail(error))
WRAP(openat)
WRAP_AS(openat64, openat, fail(error))
WRAP_OBJECT(opendir)
WRAP(pipe2)
WRAP_CODE(posix_fallocate)
WRAP_AS(posix_fallocate64, posix_fallocate, error)
WRAP_CODE(pthread_create)
WRAP_PARTIAL(read)
WRAP_OBJECT(readdir)
WRAP_AS(readdir64, readdir, (fail(error), 0))
WRAP(readlinkat)
WRAP(recvmsg)
WRAP(rename)
WRAP(send)
WRAP_AS(sendto, send, fail(error))
WRAP(sendmsg)
WRAP(setrlimit)
WRAP_AS(setrlimit64, setrlimit, fail(error))
WRAP(setsockopt)
WRAP(socket)
WRAP(stat)
WRAP_AS(stat64, stat, fail(error))
WRAP(statvfs)
WRAP(statx)
WRAP(unlink)
WRAP(unlinkat)
WRAP_PARTIAL(write)
WRAP(writev)

/* one argument more than the others */
word syscall(word number, PARAMETERS);
word syscall(word number, PARAMETERS)
{
    static word (*real)(word, PARAMETERS);
    int error = number == __NR_getpid ? 0 : strike(FAULT_syscall); /* which can't fail */
    if (error) {
        return fail(error);
    }
    if (!real) {
        real = (word(*)(word, PARAMETERS))dlsym(NEXT, "syscall");
    }
    return real(number, ARGUMENTS);
}

/* ---- the heap: glibc exports its own functions under other names for interposers ---- */

static void *lent(void *memory)
{
    if (memory && control && counts_heap) {
        (void)atomic_fetch_add(&control->live_bytes, (long)malloc_usable_size(memory));
        (void)atomic_fetch_add(&control->live_blocks, 1);
    }
    return memory;
}

static void returned(void *memory)
{
    if (memory && control && counts_heap) {
        (void)atomic_fetch_sub(&control->live_bytes, (long)malloc_usable_size(memory));
        (void)atomic_fetch_sub(&control->live_blocks, 1);
    }
}

static void *none(void)
{
    *__errno_location() = ENOMEM_ERROR;
    return NULL;
}

void *malloc(size_t size);
void *malloc(size_t size)
{
    return strike(FAULT_malloc) ? none() : lent(__libc_malloc(size));
}

void *calloc(size_t count, size_t size);
void *calloc(size_t count, size_t size)
{
    return strike(FAULT_calloc) ? none() : lent(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size);
void *realloc(void *memory, size_t size)
{
    if (strike(FAULT_realloc)) {
        return none();
    }
    returned(memory);
    void *moved = __libc_realloc(memory, size);
    if (!moved && size > 0) {
        (void)lent(memory);
    }
    return lent(moved);
}

void *reallocarray(void *memory, size_t count, size_t size);
void *reallocarray(void *memory, size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? none() : realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t size);
void *aligned_alloc(size_t alignment, size_t size)
{
    return strike(FAULT_aligned_alloc) ? none() : lent(__libc_memalign(alignment, size));
}

int posix_memalign(void **ret, size_t alignment, size_t size);
int posix_memalign(void **ret, size_t alignment, size_t size)
{
    *ret = aligned_alloc(alignment, size);
    return *ret ? 0 : ENOMEM_ERROR;
}

void free(void *memory);
void free(void *memory)
{
    returned(memory);
    __libc_free(memory);
}
