/* SPDX-License-Identifier: Apache-2.0 */
/* Making and freeing segments. */
#include "daemon/runtime/segments.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/fault.h"
#include "daemon/os/memfd.h"
#include "daemon/os/named_file.h"
#include "daemon/runtime/keeper.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/watch.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

/* Truncating this much touched memory takes about 0.7 ms: the most that one turn of the loop spends on it. */
enum { INLINE_FREE_BYTES = 4 << 20 };

/* After a free that took its time, the host is looked at again, if the last look is older than this. */
#define FREED_REFRESH_NS (20 * NANOSECONDS_PER_MILLISECOND)

/* For the case that there is no memory even to say that there is none: enough for one step's failures. */
enum { EMERGENCY_FILES = 64 };
static struct segment_file emergency[EMERGENCY_FILES];

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

/* ---- whose descriptor is it ---- */

static bool reserve_index(struct server *server, int fd)
{
    size_t wanted = (size_t)fd + 1;
    if (wanted <= server->segment_by_fd_size) {
        return true;
    }
    size_t size = wanted * 2;
    struct segment_file **index = reallocarray(server->segment_by_fd, size, sizeof(struct segment_file *));
    if (!index) {
        return false;
    }
    for (size_t i = server->segment_by_fd_size; i < size; i++) {
        index[i] = NULL;
    }
    server->segment_by_fd = index;
    server->segment_by_fd_size = size;
    return true;
}

static void put_index(struct segment_file *file)
{
    file->server->segment_by_fd[file->fd] = file;
    file->server->segments_indexed++;
}

/* With the last segment the index goes too: a crowd of clients leaves nothing behind. */
static void clear_index(struct segment_file *file)
{
    struct server *server = file->server;
    server->segment_by_fd[file->fd] = NULL;
    if (--server->segments_indexed == 0) {
        free((void *)server->segment_by_fd);
        server->segment_by_fd = NULL;
        server->segment_by_fd_size = 0;
    }
}

/* ---- results ---- */

static void report_made(struct segment_file *file)
{
    if (file->fd >= 0 && !reserve_index(file->server, file->fd)) {
        file->fd = fd_close(file->fd);
        file->outcome = INPUT_SEGMENT_FAILED;
        file->result = (struct input_segment){0};
        file->result.error = -ENOMEM;
    }
    if (file->fd >= 0) {
        put_index(file);
        file->outcome = INPUT_SEGMENT_MADE;
        file->result.handle = file;
    } else {
        file->outcome = INPUT_SEGMENT_FAILED;
    }
    file->result.segment = file->id;
    TAILQ_INSERT_TAIL(&file->server->results, file, in_results);
}

/* ---- making ---- */

static bool wants_huge_pages(const struct segment_file *file)
{
    return file->location == LOCATION_RAM && file->options.huge_pages != HUGE_PAGES_NEVER;
}

static int make_ram(struct segment_file *file)
{
    struct memfd_options options = {
        .huge_pages = wants_huge_pages(file),
        .numa_node = file->options.numa_node,
        .interleave = file->options.interleave,
        .prefault = file->options.prefault,
    };
    int fd = memfd_segment(file->bytes, &options);
    if (fd < 0 && options.huge_pages && file->options.huge_pages == HUGE_PAGES_TRY) {
        options.huge_pages = false;
        options.transparent = file->server->has_transparent_huge_pages;
        file->result.is_least = true;
        file->bytes = file->size = file->least_bytes;
        fd = memfd_segment(file->bytes, &options);
    }
    file->result.has_huge_pages = fd >= 0 && (options.huge_pages || options.transparent);
    return fd;
}

static int make_file(struct segment_file *file)
{
    struct server *server = file->server;
    if (!file->file[0]) {
        return spill_create(&server->spill, file->bytes, &file->result.disk_free);
    }
    const struct named_file named = {server->files_directory, file->file, file->uid, file->gid};
    int fd = named_file_open(&named, file->size);
    if (fd == -ENOSPC || fd == -EDQUOT) {
        file->result.disk_free = directory_free_bytes(server->files_directory);
    }
    return fd;
}

/* Any thread. */
static void make_now(struct segment_file *file)
{
    int fd = file->location == LOCATION_RAM ? make_ram(file) : make_file(file);
    fault_point();
    if (fd >= file->server->fd_ceiling) {
        (void)close(fd);
        fd = -EMFILE;
    }
    file->fd = fd < 0 ? -EBADF : fd;
    file->result.error = fd < 0 ? fd : 0;
}

static void make_work(uv_work_t *work)
{
    make_now(work->data);
}

static void make_done(uv_work_t *work, int status)
{
    struct segment_file *file = work->data;
    struct server *server = file->server;
    if (status < 0) {
        file->result.error = -ECANCELED;
    }
    server->jobs_in_flight--;
    report_made(file);
    server_settle(server);
}

static void queue_job(struct segment_file *file, uv_work_cb work, uv_after_work_cb done)
{
    file->work.data = file;
    file->server->jobs_in_flight++;
    int result = uv_queue_work(&file->server->loop, &file->work, work, done);
    assert(result == 0);
    (void)result;
}

void segment_make(struct server *server, const struct effect_make *make)
{
    struct segment_file *file = file_new();
    file->server = server;
    file->id = make->segment;
    file->location = make->location;
    file->bytes = make->bytes;
    file->least_bytes = make->least_bytes;
    file->options = make->options;
    file->record = TABLE_NONE;
    file->size = make->file ? make->file_bytes : make->bytes;
    if (make->file) {
        (void)stpncpy(file->file, make->file, sizeof file->file - 1);
        file->uid = make->identity.uid;
        file->gid = make->identity.gid;
    }
    file->fd = -EBADF;
    if (is_emergency(file)) {
        file->result.error = -ENOMEM;
        report_made(file);
    } else if (file->location == LOCATION_RAM && !file->options.prefault && !wants_huge_pages(file)) {
        make_now(file);
        report_made(file);
    } else {
        queue_job(file, make_work, make_done);
    }
}

/* ---- after a restart ---- */

struct segment_file *segment_adopt(struct server *server, const struct kept_segment *kept, int fd)
{
    struct segment_file *file = calloc(1, sizeof *file);
    if (!file || !reserve_index(server, fd)) {
        free(file);
        return NULL;
    }
    file->server = server;
    file->id = kept->id;
    file->location = kept->location;
    file->bytes = kept->bytes;
    file->options = kept->options;
    file->size = kept->file[0] ? kept->file_bytes : kept->bytes;
    memcpy(file->file, kept->file, sizeof file->file);
    file->fd = fd;
    file->record = TABLE_NONE;
    put_index(file);
    return file;
}

void segment_disown(struct segment_file *file)
{
    clear_index(file);
    free(file);
}

/* ---- freeing ---- */

/* Any thread. The pages are free when ftruncate returns, whoever still has them mapped. */
static void free_now(struct segment_file *file)
{
    if (file->file[0]) {
        file->fd = named_file_close(file->fd); /* its bytes are its user's, and stay */
        return;
    }
    fault_point();
    while (ftruncate(file->fd, 0) < 0 && errno == EINTR) {
    }
    fault_point();
    file->fd = fd_close(file->fd);
}

static void report_freed(struct segment_file *file)
{
    keeper_forget_segment(file);
    file->outcome = INPUT_SEGMENT_FREED;
    file->result = (struct input_segment){0};
    file->result.segment = file->id;
    TAILQ_INSERT_TAIL(&file->server->results, file, in_results);
}

static void free_work(uv_work_t *work)
{
    free_now(work->data);
}

static void free_done(uv_work_t *work, int status)
{
    struct segment_file *file = work->data;
    struct server *server = file->server;
    (void)status; /* jobs are never cancelled */
    server->jobs_in_flight--;
    report_freed(file);
    server_refresh_host(server, FREED_REFRESH_NS);
    server_settle(server);
}

void segments_close(struct server *server)
{
    for (size_t i = 0; i < server->segment_by_fd_size; i++) {
        struct segment_file *file = server->segment_by_fd[i];
        if (file) {
            clear_index(file);
            (void)fd_close(file->fd);
            segment_forget(file);
        }
    }
}

void segment_free(struct server *server, const struct effect_free *to_free)
{
    struct segment_file *file = to_free->handle;
    clear_index(file);
    watch_released(file);
    bool small = file->location == LOCATION_RAM && file->bytes <= INLINE_FREE_BYTES - server->inline_bytes;
    if (small) {
        server->inline_bytes += file->bytes;
        free_now(file);
        report_freed(file);
    } else {
        queue_job(file, free_work, free_done);
    }
}

/* ---- looking ---- */

int segment_look(const struct segment_file *file, struct segment_kernel_view *ret)
{
    struct stat status;
    if (fstat(file->fd, &status) < 0) {
        return -errno;
    }
    *ret =
        (struct segment_kernel_view){.size = (uint64_t)status.st_size, .allocated = (uint64_t)status.st_blocks * 512};
    return 0;
}

bool segment_is_intact(const struct segment_file *file, const struct segment_kernel_view *view)
{
    uint64_t overhead = 65536 + file->bytes / 256; /* of a file system's own extent blocks */
    if (view->size != file->size) {
        return false;
    }
    if (file->file[0]) {
        return view->allocated >= file->size; /* who made it may have allocated more */
    }
    return file->location == LOCATION_RAM ||
           (view->allocated >= file->bytes && view->allocated <= file->bytes + overhead);
}
