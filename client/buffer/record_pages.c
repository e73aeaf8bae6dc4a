/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps regions of many pages. They stay mapped until the heap ends, but unused pages beyond a few take no memory.
 */
#include "client/buffer/record_pages.h"

#include <sys/mman.h>

enum { PAGE_BYTES = 4096, REGION_PAGES = 64, UNUSED_MAX = 32 };

#define REGION_BYTES ((size_t)REGION_PAGES * PAGE_BYTES)

/* Lies at the beginning of its first page; the other pages are records. */
struct record_region {
    uint64_t unused; /* a bit for each page */
    LIST_ENTRY(record_region) in_pages, with_unused;
};

/* A region lies at a multiple of its size. */
static char *map_aligned(void)
{
    char *wide =
        mmap(NULL, 2 * REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (wide == MAP_FAILED) {
        return NULL;
    }
    size_t before = -(uintptr_t)wide & (REGION_BYTES - 1);
    if (before > 0) {
        (void)munmap(wide, before);
    }
    (void)munmap(wide + before + REGION_BYTES, REGION_BYTES - before);
    return wide + before;
}

static struct record_region *region_add(struct record_pages *pages)
{
    struct record_region *region = (void *)map_aligned();
    if (region) {
        region->unused = ~UINT64_C(1);
        LIST_INSERT_HEAD(&pages->regions, region, in_pages);
        LIST_INSERT_HEAD(&pages->with_unused, region, with_unused);
        pages->unused_count += REGION_PAGES - 1;
    }
    return region;
}

void *record_page_take(struct record_pages *pages)
{
    struct record_region *region = LIST_FIRST(&pages->with_unused);
    region = region ? region : region_add(pages);
    if (!region) {
        return NULL;
    }
    unsigned index = (unsigned)__builtin_ctzll(region->unused);
    region->unused &= region->unused - 1;
    if (!region->unused) {
        LIST_REMOVE(region, with_unused);
    }
    pages->unused_count--;
    return (char *)region + (size_t)index * PAGE_BYTES;
}

void record_page_give(struct record_pages *pages, void *page)
{
    struct record_region *region = (void *)((uintptr_t)page & ~(uintptr_t)(REGION_BYTES - 1));
    if (!region->unused) {
        LIST_INSERT_HEAD(&pages->with_unused, region, with_unused);
    }
    region->unused |= UINT64_C(1) << (((uintptr_t)page - (uintptr_t)region) / PAGE_BYTES);
    if (++pages->unused_count > UNUSED_MAX) {
        (void)madvise(page, PAGE_BYTES, MADV_DONTNEED);
    }
}

void record_pages_close(struct record_pages *pages)
{
    struct record_region *region = LIST_FIRST(&pages->regions), *next;
    for (; region; region = next) {
        next = LIST_NEXT(region, in_pages);
        (void)munmap(region, REGION_BYTES);
    }
    *pages = (struct record_pages){0};
}
