/* SPDX-License-Identifier: Apache-2.0 */
/* Each location has a backend, and each backend a whole table. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/worker/backend.h"

TestSuite(backend);

Test(backend, is_there_for_each_location)
{
    FOR_EACH_LOCATION(location)
    {
        cr_expect(backend_get(backend_of(location, false)));
        cr_expect(backend_get(backend_of(location, true)));
    }
}

Test(backend, has_what_every_caller_calls)
{
    for (enum backend_kind kind = 0; kind < BACKENDS; kind++) {
        const struct backend *backend = backend_get(kind);
        const struct job job = {.kind = JOB_MAKE, .backend = kind}, free_job = {.kind = JOB_FREE, .backend = kind};
        cr_expect(backend->is_quick && backend->make && backend->free && backend->look && backend->is_intact);
        cr_expect(backend->adopt && backend->is_target && backend->directory);
        cr_expect(job_words(&job) && job_words(&free_job));
        cr_expect(backend_kept_as(backend->kept_as));
        cr_expect_eq(backend_kept_as(backend->kept_as)->is_programs, backend->is_programs,
                     "what is kept under one letter is freed alike");
    }
}

Test(backend, takes_a_file_that_was_shortened_punched_or_extended_for_changed)
{
    const struct backend *memory = &backend_memfd, *file = &backend_spill;
    const struct inode_view whole = {.size = 8192, .allocated = 8192}, untouched = {.size = 8192},
                            shorter = {.size = 4096, .allocated = 8192},
                            beyond = {.size = 8192, .allocated = 12288, .goes_beyond = true};
    cr_expect(memory->is_intact(8192, &whole) && memory->is_intact(8192, &untouched));
    cr_expect_not(memory->is_intact(8192, &shorter));
    cr_expect(file->is_intact(8192, &whole));
    cr_expect_not(file->is_intact(8192, &untouched) || file->is_intact(8192, &shorter) ||
                  file->is_intact(8192, &beyond));
}

Test(backend, repeats_what_a_worker_died_at_only_if_nothing_can_be_half_done)
{
    const struct job memory = {.kind = JOB_MAKE, .backend = BACKEND_MEMFD},
                     named = {.kind = JOB_MAKE, .backend = BACKEND_NAMED},
                     to_free = {.kind = JOB_FREE, .backend = BACKEND_NAMED}, to_close = {.kind = JOB_CLOSE};
    cr_expect(job_can_be_repeated(&memory, false) && !job_can_be_repeated(&memory, true));
    cr_expect_not(job_can_be_repeated(&named, false));
    cr_expect(job_can_be_repeated(&to_free, true));
    cr_expect_not(job_can_be_repeated(&to_close, false));
}

static struct inode_view look_at(const struct backend *backend, int fd)
{
    struct job_result result = {0};
    cr_assert(backend->look(fd, &result) == 0);
    return result.view;
}

/* A borrower can allocate beyond the end, and no length shows that. */
Test(backend, sees_a_memfd_whose_blocks_lie_beyond_its_end)
{
    struct job job = {.kind = JOB_MAKE, .backend = BACKEND_MEMFD, .bytes = 8192, .pages = {.numa_node = -1}};
    struct job_result result = {0};
    int fd = memfd_create("beyond", MFD_CLOEXEC);
    cr_assert(fd >= 0 && ftruncate(fd, 8192) == 0 && fallocate(fd, 0, 0, 8192) == 0);
    cr_expect(!look_at(&backend_memfd, fd).goes_beyond && look_at(&backend_memfd, fd).allocated == 8192);
    cr_assert(fallocate(fd, FALLOC_FL_KEEP_SIZE, 8192, 4096) == 0);
    cr_expect(look_at(&backend_memfd, fd).goes_beyond && look_at(&backend_memfd, fd).size == 8192);
    cr_expect_eq(backend_memfd.free(fd, &job, &result), 0);
    cr_expect(result.view.goes_beyond, "as it came back");
    struct inode_view emptied = look_at(&backend_memfd, fd);
    cr_expect(emptied.size == 0 && emptied.allocated == 0 && !emptied.goes_beyond);
    (void)close(fd);
}
