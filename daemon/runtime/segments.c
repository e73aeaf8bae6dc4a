/* SPDX-License-Identifier: Apache-2.0 */
/* Making and freeing segments. */
#include "daemon/runtime/segments.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/os/fault.h"
#include "daemon/os/memfd.h"
#include "daemon/runtime/descriptor_jobs.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/probes.h"
#include "daemon/runtime/segment_descriptors.h"
#include "daemon/runtime/server.h"
#include "daemon/runtime/tampering.h"
#include "proto/base/cleanup.h"
#include "proto/base/container.h"

/* For the case that there is no memory even to say that there is none: enough for one step's failures. */
enum { EMERGENCY_FILES = 64 };
static struct segment_file emergency[EMERGENCY_FILES];

void segments_init(struct segments *segments)
{
    TAILQ_INIT(&segments->results);
    TAILQ_INIT(&segments->kept_back);
    segments->has_transparent_huge_pages = memfd_has_transparent_huge_pages();
}

static struct segment_file *file_new(void)
{
    struct segment_file *file = calloc(1, sizeof *file);
    for (size_t i = 0; !file && i < EMERGENCY_FILES; i++) {
        file = emergency[i].server ? NULL : &emergency[i];
    }
    assert(file);
    return file;
}

static bool is_emergency(const struct segment_file *file)
{
    return file >= emergency && file < emergency + EMERGENCY_FILES;
}

void segment_forget(struct segment_file *file)
{
    if (is_emergency(file)) {
        *file = (struct segment_file){0};
    } else {
        free(file);
    }
}

static struct segment_file *owner_of(struct work *work)
{
    return container_of(work, struct segment_file, work);
}

/* ---- results ---- */

static void report(struct segment_file *file)
{
    file->result.segment = segment_id(file);
    TAILQ_INSERT_TAIL(&file->server->segments.results, file, in_results);
}

struct segment_file *segments_take_result(struct segments *segments)
{
    struct segment_file *file = TAILQ_FIRST(&segments->results);
    if (file) {
        TAILQ_REMOVE(&segments->results, file, in_results);
    }
    return file;
}

/* `others`: of one that can be published. */
static void report_made(struct segment_file *file, int others)
{
    if (others < 0) {
        file->fd = fd_close(file->fd);
        file->result = (struct input_segment){.error = others};
    }
    if (file->fd >= 0 && !segment_enter(file)) {
        segment_close_others(file);
        file->fd = fd_close(file->fd);
        file->result = (struct input_segment){.error = -ENOMEM};
    }
    file->outcome = file->fd >= 0 ? INPUT_SEGMENT_MADE : INPUT_SEGMENT_FAILED;
    if (file->fd >= 0) {
        file->result.handle = file;
    } else {
        segment_close_others(file);
    }
    report(file);
}

static void report_freed(struct segment_file *file)
{
    PROBE3(free__end, segment_id(file), file->bytes, file->location);
    fdstore_forget_segment(file);
    file->outcome = INPUT_SEGMENT_FREED;
    file->result = (struct input_segment){0};
    report(file);
}

/* ---- making ---- */

/* Takes the descriptor, or the error. */
static void take_made(struct segment_file *file, int fd)
{
    fault_point();
    if (fd >= file->server->descriptors.ceiling) {
        (void)close(fd);
        fd = -EMFILE;
    }
    file->fd = fd < 0 ? -EBADF : fd;
    file->result.error = fd < 0 ? fd : 0;
}

static int have_others(struct segment_file *file, const struct job_result *result)
{
    if (segment_backend(file)->brings_others && file->work.job.is_publishable) {
        return segment_take_others(file, result->readable, result->writable);
    }
    return file->fd >= 0 && file->work.job.is_publishable ? segment_open_others(file, LENDS_BOTH) : 0;
}

static void make_done(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct segment_file *file = owner_of(work);
    host_view_end_filling(&server->host_view, location_is_memory(file->location) ? work->job.bytes : 0);
    file->result = (struct input_segment){
        .has_huge_pages = result->has_huge_pages, .is_least = result->is_least, .disk_free = result->disk_free};
    if (result->is_least) {
        file->bytes = work->job.size = work->job.least_bytes;
    }
    file->result.directory = segment_backend(file)->directory(&server->workers.workshop);
    /* the worker had one, and here it could not be received */
    take_made(file, fd >= 0 ? fd : result->error < 0 ? result->error : -EMFILE);
    report_made(file, fd >= 0 ? have_others(file, result) : 0);
}

static void describe(struct segment_file *file, const struct effect_make *make)
{
    struct job *job = &file->work.job;
    job->kind = JOB_MAKE;
    job->backend = backend_of(make->location, make->file);
    job->segment = make->segment;
    job->bytes = make->bytes;
    job->least_bytes = make->least_bytes;
    job->size = make->file ? make->file_bytes : make->bytes;
    job->pages = (struct job_pages){
        .huge_pages = make->options.huge_pages,
        .numa_node = make->options.numa_node,
        .interleave = make->options.interleave,
        .prefault = make->options.prefault,
    };
    job->is_publishable = make->is_publishable;
    job->has_transparent_huge_pages = file->server->segments.has_transparent_huge_pages;
    if (make->file) {
        (void)stpncpy(job->file, make->file, sizeof job->file - 1);
        job->uid = make->identity.uid;
        job->gid = make->identity.gid;
    }
}

/* Nobody else knows the inode yet. */
static void make_at_once(struct segment_file *file)
{
    struct job_result result = {0};
    const struct backend *backend = segment_backend(file);
    int blank = backend->make_of ? stock_take(file->server) : -EBADF;
    take_made(file, blank >= 0 ? backend->make_of(blank, &file->work.job)
                               : backend->make(&file->server->workers.workshop, &file->work.job, &result));
    report_made(file, have_others(file, &result));
}

void segment_make(struct server *server, const struct effect_make *make)
{
    struct segment_file *file = file_new();
    file->server = server;
    file->location = make->location;
    file->bytes = make->bytes;
    file->record = TABLE_NONE;
    file->fd = file->readable = file->writable = -EBADF;
    file->work.fd = -EBADF;
    file->work.user = identity_charged(&make->identity);
    file->work.done = make_done;
    describe(file, make);
    if (is_emergency(file)) {
        file->result.error = -ENOMEM;
        report_made(file, 0);
    } else if (segment_backend(file)->is_quick(&file->work.job)) {
        make_at_once(file);
    } else {
        host_view_begin_filling(&server->host_view, location_is_memory(file->location) ? file->work.job.bytes : 0);
        workers_do(server, &file->work);
    }
}

void segment_lend(struct segment_file *file, uint32_t user)
{
    file->work.user = user;
}

/* ---- after a restart ---- */

/* That a borrower changed the file's mode, or that its disk became read-only, must not stop the daemon at each start.
 */
static int open_again(struct segment_file *file, enum segment_lending lending)
{
    int result = segment_open_others(file, lending);
    if (result == 0 || result == -ENOMEM || result == -EMFILE || result == -ENFILE) {
        return result;
    }
    log_error("segment %llu is lost: it can't be opened again: %s", (unsigned long long)segment_id(file),
              strerrordesc_np(-result));
    return -EPROTO;
}

int segment_adopt(struct server *server, const struct kept_segment *kept, int fd, uint32_t user,
                  enum segment_lending lending, struct segment_file **ret)
{
    if (!location_holds_bytes(kept->location)) {
        return -EPROTO;
    }
    struct segment_file *file = calloc(1, sizeof *file);
    if (!file) {
        return -ENOMEM;
    }
    file->server = server;
    file->location = kept->location;
    file->bytes = kept->bytes;
    file->work.user = user;
    file->work.job.segment = kept->id;
    file->work.job.backend = backend_of(kept->location, kept->file[0]);
    file->work.job.size = segment_backend(file)->adopt(kept->bytes, kept->file_bytes);
    memcpy(file->work.job.file, kept->file, sizeof file->work.job.file);
    file->fd = fd;
    file->readable = file->writable = -EBADF;
    file->record = TABLE_NONE;
    file->work.job.is_publishable = kept->is_publishable;
    int result = open_again(file, lending);
    if (result == 0 && !segment_enter(file)) {
        segment_close_others(file);
        result = -ENOMEM;
    }
    if (result < 0) {
        free(file);
        return result;
    }
    *ret = file;
    return 0;
}

void segment_disown(struct segment_file *file)
{
    segment_close_others(file);
    segment_remove(file);
    free(file);
}

/* ---- sealing ---- */

static void seal_done(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct segment_file *file = owner_of(work);
    (void)server;
    (void)fd;
    if (result->error == -ECANCELED) { /* the daemon ends */
        return;
    }
    fault_point();
    file->outcome = INPUT_SEGMENT_SEALED;
    file->result = (struct input_segment){.error = result->error};
    report(file);
}

static void seal(struct segment_file *file)
{
    file->work.job.kind = JOB_SEAL;
    file->work.job.bytes = file->bytes;
    file->work.fd = file->fd;
    file->work.done = seal_done;
    workers_do(file->server, &file->work);
}

/* Whatever became of the worker, the descriptor is closed. */
static void writable_closed(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    work->fd = descriptor_close(&server->descriptors, work->fd);
    if (result->error == -ECANCELED) {
        seal_done(server, work, result, fd);
    } else {
        seal(owner_of(work));
    }
}

static void close_and_seal(struct segment_file *file)
{
    if (file->writable < 0 || segment_backend(file)->is_closed_at_once) {
        segment_close_writable(file);
        seal(file);
        return;
    }
    segment_index_forget_writable(&file->server->segments.index, file);
    file->work.job.kind = JOB_CLOSE;
    file->work.job.bytes = 0;
    file->work.fd = fd_steal(&file->writable);
    file->work.done = writable_closed;
    workers_do(file->server, &file->work);
}

/*
 * The daemon's own descriptors for writing would be found by the proof. A copy that went with a grant is being closed
 * in the same user's lane, so that others don't wait for it; one that is still to be sent is not waited for.
 */
void segment_seal(const struct effect_seal *to_seal)
{
    struct segment_file *file = to_seal->handle;
    file->work.can_wait = false;
    if (file->closing) {
        file->when_closed = close_and_seal;
    } else {
        close_and_seal(file);
    }
}

/* ---- freeing ---- */

enum { KEPT_BACK_MS = 500 };

static void try_kept_back(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct segment_file *file;
    while ((file = TAILQ_FIRST(&server->segments.kept_back))) {
        TAILQ_REMOVE(&server->segments.kept_back, file, in_results);
        workers_do(server, &file->work);
    }
}

void segments_start(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->segments.kept_back_timer);
    server->segments.kept_back_timer.data = server;
}

/* A borrower has sealed it, or keeps it from being opened: its bytes stay charged until that is gone. */
static void keep_back(struct segment_file *file, const struct job_result *result)
{
    struct segments *segments = &file->server->segments;
    if (!file->is_reported) {
        tampering_log(file, 0, &result->view,
                      "a borrower keeps it from being freed, and its bytes stay charged until that has ended");
    }
    TAILQ_INSERT_TAIL(&segments->kept_back, file, in_results);
    if (!uv_is_active((const uv_handle_t *)&segments->kept_back_timer)) {
        (void)uv_timer_start(&segments->kept_back_timer, try_kept_back, KEPT_BACK_MS, 0);
    }
}

/*
 * The pages are back, and only now its descriptor goes: had the worker died, another would have needed it. The last
 * descriptor of a file is a worker's to close, which may take the file system's journal some time.
 */
static void free_done(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct segment_file *file = owner_of(work);
    (void)fd;
    if (result->error == -EPERM && work->job.is_publishable) {
        keep_back(file, result);
        return;
    }
    segment_remove(file);
    if (result->error == -ECANCELED) { /* the daemon ends */
        file->fd = fd_close(file->fd);
        segment_forget(file);
        return;
    }
    fault_point();
    tampering_log_freed(file, &result->view);
    fault_leak(file->fd);
    if (segment_backend(file)->is_closed_at_once) {
        stock_close_old(server, fd_steal(&file->fd));
    } else {
        descriptor_close_later(server, work->user, fd_steal(&file->fd));
    }
    host_view_note_freed(&server->host_view, file->bytes);
    report_freed(file);
}

void segment_free(struct server *server, const struct effect_free *to_free)
{
    struct segment_file *file = to_free->handle;
    PROBE3(free__begin, to_free->segment, file->bytes, file->location);
    fault_point();
    segment_close_others(file); /* they are not the last ones: the inode does not end here */
    file->work.job.kind = JOB_FREE;
    file->work.job.bytes = file->bytes;
    file->work.fd = file->fd;
    file->work.can_wait = location_is_memory(file->location);
    file->work.done = free_done;
    workers_do(server, &file->work);
}

void segments_close(struct segments *segments)
{
    for (size_t i = 0; i < segments->index.size; i++) {
        struct segment_file *file = segments->index.by_fd[i];
        if (file && file->fd == (int)i) {
            segment_close_others(file);
            segment_remove(file);
            (void)fd_close(file->fd);
            segment_forget(file);
        }
    }
}
