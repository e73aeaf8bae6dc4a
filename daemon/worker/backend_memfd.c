/* SPDX-License-Identifier: Apache-2.0 */
/* RAM: sealed memfds. */
#include <errno.h>
#include <string.h>

#include "daemon/os/memfd.h"
#include "daemon/worker/backend_common.h"

static struct memfd_options options_of(const struct job *job)
{
    return (struct memfd_options){
        .huge_pages = job->pages.huge_pages != HUGE_PAGES_NEVER,
        .numa_node = job->pages.numa_node,
        .interleave = job->pages.interleave,
        .prefault = job->pages.prefault,
        .publishable = job->is_publishable,
    };
}

static bool is_quick(const struct job *job)
{
    return !job->pages.prefault && job->pages.huge_pages == HUGE_PAGES_NEVER;
}

static int make(const struct workshop *workshop, const struct job *job, struct job_result *ret)
{
    struct memfd_options options = options_of(job);
    (void)workshop;
    int fd = memfd_segment(job->bytes, &options);
    if (fd < 0 && job->pages.huge_pages == HUGE_PAGES_TRY) {
        options.huge_pages = false;
        options.transparent = job->has_transparent_huge_pages;
        ret->is_least = true;
        fd = memfd_segment(job->least_bytes, &options);
    }
    ret->has_huge_pages = fd >= 0 && (options.huge_pages || options.transparent);
    return fd;
}

static int make_of(int blank, const struct job *job)
{
    struct memfd_options options = options_of(job);
    return memfd_segment_of(blank, job->bytes, &options);
}

static int give_back(int fd, const struct job *job, struct job_result *ret)
{
    int result = inode_view_empty_memory(fd, &ret->view);
    /* a seal that its borrower added keeps its memory until nobody else has it, and it is closed */
    return result == -EPERM && job->is_publishable && memfd_has_no_borrower(fd) ? 0 : result;
}

static int seal(int fd, const struct job *job)
{
    return memfd_seal(fd, job->size);
}

static int look(int fd, struct job_result *ret)
{
    return inode_view_look_memory(fd, &ret->view);
}

/* Pages come at the first touch. */
static bool is_intact(uint64_t length, const struct inode_view *view)
{
    return view->size == length;
}

static bool is_target(const struct workshop *workshop, const char *target)
{
    (void)workshop;
    return strcmp(target, MEMFD_SEGMENT_LINK) == 0;
}

static const char *directory(const struct workshop *workshop)
{
    (void)workshop;
    return NULL;
}

const struct backend backend_memfd = {
    .making = "being made",
    .freeing = "being freed",
    .kept_as = 's',
    .can_be_made_again = true,
    .is_closed_at_once = true,
    .is_quick = is_quick,
    .make = make,
    .make_of = make_of,
    .free = give_back,
    .seal = seal,
    .is_sealed = memfd_is_sealed,
    .look = look,
    .is_intact = is_intact,
    .adopt = backend_common_adopt,
    .is_target = is_target,
    .directory = directory,
};
