/* SPDX-License-Identifier: Apache-2.0 */
/* memfd_create and its seals. */
#include "daemon/os/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/open_file.h"
#include "daemon/os/populate.h"
#include "proto/base/cleanup.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum { NODES_MAX = 1024 /* the kernel's own maximum */, WORD_BITS = 8 * sizeof(unsigned long) };

/* Falls back, once and for all, where the kernel is older than MFD_NOEXEC_SEAL. */
static int create(const char *name, unsigned flags)
{
    static _Atomic bool no_noexec;
    if (!atomic_load_explicit(&no_noexec, memory_order_relaxed)) {
        int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
        if (fd >= 0 || errno != EINVAL) {
            return fd < 0 ? -errno : fd;
        }
        atomic_store_explicit(&no_noexec, true, memory_order_relaxed);
    }
    int fd = memfd_create(name, flags);
    return fd < 0 ? -errno : fd;
}

/* fallocate gives up when a signal comes; it goes on where it was. */
static int allocate(int fd, uint64_t bytes)
{
    int result;
    do {
        result = fallocate(fd, 0, 0, (off_t)bytes);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

/*
 * The placement belongs to the memfd, not to a mapping: a temporary one is enough to set it. The mask of one node is
 * our own: libnuma ends the process where it can't allocate one.
 */
static int place_on_nodes(void *address, uint64_t bytes, const struct memfd_options *options)
{
    bool one = options->numa_node >= 0;
    if (numa_available() < 0 || (one && !numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned)options->numa_node))) {
        return -ENODEV;
    }
    if (!one) {
        unsigned long bits = numa_all_nodes_ptr->size + 1;
        return mbind(address, bytes, MPOL_INTERLEAVE, numa_all_nodes_ptr->maskp, bits, 0) < 0 ? -errno : 0;
    }
    unsigned long mask[NODES_MAX / WORD_BITS] = {0};
    unsigned node = (unsigned)options->numa_node;
    if (node >= NODES_MAX) {
        return -ENODEV;
    }
    mask[node / WORD_BITS] = 1UL << node % WORD_BITS;
    return mbind(address, bytes, MPOL_BIND, mask, NODES_MAX + 1, 0) < 0 ? -errno : 0;
}

static int place(int fd, uint64_t bytes, const struct memfd_options *options)
{
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
        return -errno;
    }
    int result = place_on_nodes(address, bytes, options);
    (void)munmap(address, bytes);
    return result;
}

/* What takes a mapping. Huge pages are allocated first: the kernel has so many and no more, and says so there. */
static int arrange(int fd, uint64_t bytes, const struct memfd_options *options)
{
    bool places = options->numa_node >= 0 || options->interleave;
    bool fills = options->prefault || options->huge_pages || options->transparent;
    int result = places ? place(fd, bytes, options) : 0;
    if (result == 0 && options->huge_pages) {
        result = allocate(fd, bytes);
    }
    return result == 0 && fills ? populate_memory(fd, bytes, options->transparent) : result;
}

static int create_segment(unsigned flags)
{
    cleanup(fd_closep) int fd = create("membroker:segment", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (fd >= 0 && fchmod(fd, 0600) < 0) {
        return -errno;
    }
    return fd_steal(&fd);
}

int memfd_blank(void)
{
    return create_segment(0);
}

/* Size, pages, then the seals: nothing can be changed after them but by truncation. */
int memfd_segment_of(int blank, uint64_t bytes, const struct memfd_options *options)
{
    cleanup(fd_closep) int fd = blank;
    if (ftruncate(fd, (off_t)bytes) < 0) {
        return -errno;
    }
    int result = arrange(fd, bytes, options);
    int seals = F_SEAL_GROW | (options->publishable ? 0 : F_SEAL_SEAL);
    if (result == 0 && fcntl(fd, F_ADD_SEALS, seals) < 0) {
        result = -errno;
    }
    return result < 0 ? result : fd_steal(&fd);
}

int memfd_segment(uint64_t bytes, const struct memfd_options *options)
{
    int blank = create_segment(options->huge_pages ? MFD_HUGETLB : 0);
    return blank < 0 ? blank : memfd_segment_of(blank, bytes, options);
}

/* Every page now, in pages of the smallest size: what a reader finds is what there is. */
static int fill_control(void *address, uint64_t bytes)
{
    (void)madvise(address, bytes, MADV_NOHUGEPAGE);
    int result = populate_mapping(address, bytes);
    if (result == -EINVAL) { /* a kernel before 5.14 */
        memset(address, 0, bytes);
        return 0;
    }
    return result;
}

bool memfd_is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_WRITE) && (seals & F_SEAL_SEAL) && !(seals & F_SEAL_SHRINK);
}

/* Once sealed against further seals, what the seals and the size are is what they stay. */
static int check_sealed(int fd, uint64_t bytes)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || fstat(fd, &status) < 0) {
        return -errno;
    }
    bool is_right = (seals & F_SEAL_WRITE) && !(seals & F_SEAL_SHRINK) && (uint64_t)status.st_size == bytes;
    return is_right ? 0 : -EPERM;
}

int memfd_seal(int fd, uint64_t bytes)
{
    int seals = fcntl(fd, F_GET_SEALS);
    int writers =
        seals < 0 ? -errno : open_file_check_writers(fd); /* before it is sealed: so most refusals change nothing */
    if (writers < 0) {
        return writers;
    }
    if (!(seals & F_SEAL_WRITE) && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
        return -errno;
    }
    int result = open_file_check_writers(fd); /* who has it open for writing may still truncate it */
    return result < 0 ? result : check_sealed(fd, bytes);
}

bool memfd_has_no_borrower(int fd)
{
    cleanup(fd_closep) int readable = open_file_again(fd, O_RDONLY);
    return readable >= 0 && open_file_is_sole(readable);
}

/* There will never be another open file. Other errors pass, and must not leave a page that is kept forever. */
static bool is_without_proc(int error)
{
    return error == -ENOENT || error == -ENOTDIR || error == -EACCES || error == -EPERM;
}

static int make_control(const char *name, uint64_t bytes, struct memfd_control *ret)
{
    cleanup(fd_closep) int fd = create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return fd;
    }
    if (ftruncate(fd, (off_t)bytes) < 0 || fchmod(fd, 0600) < 0) {
        return -errno;
    }
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
        return -errno;
    }
    cleanup(fd_closep) int again = open_file_again(fd, O_RDONLY);
    int result = again < 0 && !is_without_proc(again) ? again : fill_control(address, bytes);
    /* a client that has it for reading alone can't write; the broker gives its memory back, which the seal forbids */
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | (again < 0 ? F_SEAL_FUTURE_WRITE : 0);
    if (result == 0 && fcntl(fd, F_ADD_SEALS, seals) < 0) {
        result = -errno;
    }
    if (result < 0) {
        (void)munmap(address, bytes);
        return result;
    }
    *ret = (struct memfd_control){.address = address, .is_counted = again >= 0};
    return fd_steal(again >= 0 ? &again : &fd);
}

int memfd_control(uint64_t bytes, struct memfd_control *ret)
{
    return make_control("membroker:control", bytes, ret);
}

int memfd_board(uint64_t bytes, struct memfd_control *ret)
{
    return make_control("membroker:board", bytes, ret);
}

int memfd_control_empty(int fd)
{
    struct stat status;
    cleanup(fd_closep) int writable = open_file_again(fd, O_RDWR);
    if (writable < 0 || fstat(writable, &status) < 0) {
        return writable < 0 ? writable : -errno;
    }
    return fallocate(writable, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, status.st_size) < 0 ? -errno : 0;
}

/* The setting in force stands in brackets: "always within_size [advise] never deny force". */
bool memfd_has_transparent_huge_pages(void)
{
    char line[128] = "";
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "re");
    bool has = file && fgets(line, sizeof line, file) && !strstr(line, "[never]") && !strstr(line, "[deny]");
    if (file) {
        (void)fclose(file);
    }
    return has;
}

uint64_t memfd_huge_page_bytes(void)
{
    char line[128];
    unsigned long long total = 0, kibibytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file) {
        return 0;
    }
    while (fgets(line, sizeof line, file)) {
        (void)sscanf(line, "HugePages_Total: %llu", &total);
        (void)sscanf(line, "Hugepagesize: %llu kB", &kibibytes);
    }
    (void)fclose(file);
    return total ? kibibytes * 1024 : 0;
}
