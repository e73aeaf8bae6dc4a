/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a JVM: counts what ND4J's native libraries allocate themselves, by the library that calls. The
 * counters are in the file that MEMBROKER_COUNTERS names: live and peak bytes of ND4J and JavaCPP, then bytes that
 * OpenBLAS maps.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void __libc_free(void *memory);
size_t malloc_usable_size(void *memory);

struct counters {
    _Atomic uint64_t live, peak, mapped;
};

enum { CALLERS = 1 << 14, BLOCKS = 1 << 20 };
enum kind { UNKNOWN, OTHER, ND4J, OPENBLAS };

static struct counters *counters;
static _Atomic uintptr_t callers[CALLERS]; /* a return address, and its kind in the two highest bits */
static uintptr_t blocks[BLOCKS];           /* what is counted: open addressing; 1 was removed */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int is_inside;

static __attribute__((constructor)) void begin(void)
{
    const char *path = getenv("MEMBROKER_COUNTERS");
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file >= 0 && ftruncate(file, 4096) == 0) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        counters = page == MAP_FAILED ? NULL : page;
    }
}

static enum kind kind_of(const void *caller)
{
    Dl_info info;
    if (!dladdr(caller, &info) || !info.dli_fname) {
        return OTHER;
    }
    const char *name = strrchr(info.dli_fname, '/');
    name = name ? name : info.dli_fname;
    return strstr(name, "nd4j") || strstr(name, "jnijavacpp") ? ND4J : strstr(name, "openblas") ? OPENBLAS : OTHER;
}

/* Each caller is looked up once. */
static enum kind caller_kind(const void *caller)
{
    uintptr_t key = (uintptr_t)caller, room = (key >> 1) % CALLERS, known = callers[room];
    if (!counters || is_inside) {
        return OTHER;
    }
    if ((known & (UINTPTR_MAX >> 2)) == key) {
        return (enum kind)(known >> 62);
    }
    is_inside = 1;
    enum kind kind = kind_of(caller);
    is_inside = 0;
    callers[room] = key | (uintptr_t)kind << 62;
    return kind;
}

static size_t room_of(uintptr_t block, int is_new)
{
    size_t room = (block >> 4) * 2654435761u % BLOCKS;
    while (blocks[room] && blocks[room] != block && !(is_new && blocks[room] == 1)) {
        room = (room + 1) % BLOCKS;
    }
    return room;
}

static void *counted(void *memory, const void *caller)
{
    if (memory && caller_kind(caller) == ND4J) {
        (void)pthread_mutex_lock(&lock);
        blocks[room_of((uintptr_t)memory, 1)] = (uintptr_t)memory;
        counters->live += malloc_usable_size(memory);
        if (counters->live > counters->peak) {
            counters->peak = counters->live;
        }
        (void)pthread_mutex_unlock(&lock);
    }
    return memory;
}

static void uncount(void *memory)
{
    if (memory && counters) {
        (void)pthread_mutex_lock(&lock);
        size_t room = room_of((uintptr_t)memory, 0);
        if (blocks[room]) {
            blocks[room] = 1;
            counters->live -= malloc_usable_size(memory);
        }
        (void)pthread_mutex_unlock(&lock);
    }
}

void *malloc(size_t bytes)
{
    return counted(__libc_malloc(bytes), __builtin_return_address(0));
}

void *calloc(size_t count, size_t bytes)
{
    return counted(__libc_calloc(count, bytes), __builtin_return_address(0));
}

void *realloc(void *memory, size_t bytes)
{
    uncount(memory);
    return counted(__libc_realloc(memory, bytes), __builtin_return_address(0));
}

void free(void *memory)
{
    uncount(memory);
    __libc_free(memory);
}

/* operator new and new[] of C++ */
void *_Znwm(size_t bytes)
{
    return counted(__libc_malloc(bytes), __builtin_return_address(0));
}

void *_Znam(size_t bytes)
{
    return counted(__libc_malloc(bytes), __builtin_return_address(0));
}

/* the same that return NULL, which JavaCPP calls for its arrays; libstdc++ would call the others itself */
void *_ZnwmRKSt9nothrow_t(size_t bytes, const void *nothrow)
{
    (void)nothrow;
    return counted(__libc_malloc(bytes), __builtin_return_address(0));
}

void *_ZnamRKSt9nothrow_t(size_t bytes, const void *nothrow)
{
    (void)nothrow;
    return counted(__libc_malloc(bytes), __builtin_return_address(0));
}

void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset)
{
    if (caller_kind(__builtin_return_address(0)) == OPENBLAS) {
        counters->mapped += bytes;
    }
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
}
