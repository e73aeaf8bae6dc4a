/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/stock.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/os/memfd.h"
#include "daemon/runtime/server.h"
#include "proto/base/container.h"
#include "proto/base/size.h"

enum {
    SHARE = 64, /* of the descriptors */
    FEW = 8,    /* are closed at once */
    REST_MS = 10,
    FAILED_REST_MS = 500, /* descriptors or memory are short */
};

void stock_init(struct stock *stock, int ceiling)
{
    *stock = (struct stock){.capacity = (size_t)size_min((uint64_t)ceiling / SHARE, STOCK_MOST)};
    stock->job.ceiling = ceiling;
}

static void on_rest(uv_timer_t *rest)
{
    struct stock *stock = container_of(rest, struct stock, rest);
    stock->has_rested = true; /* the loop's turn goes on with it */
}

void stock_start(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->stock.rest);
}

static void put(struct stock_list *list, int fd)
{
    list->fd[list->count++] = fd;
}

static void close_all(struct stock_list *list)
{
    while (list->count) {
        (void)close(list->fd[--list->count]);
    }
}

int stock_take(struct server *server)
{
    struct stock *stock = &server->stock;
    if (!stock->blank.count) {
        stock->is_wanted = true;
        return -EBADF;
    }
    int fd = stock->blank.fd[--stock->blank.count];
    descriptor_forget(&server->descriptors, fd);
    return fd;
}

void stock_close_old(struct server *server, int fd)
{
    struct stock *stock = &server->stock;
    if (server->is_closing || stock->old.count >= stock->capacity) {
        (void)close(fd);
    } else {
        descriptor_note(&server->descriptors, fd, DESCRIPTOR_PASSING);
        put(&stock->old, fd);
    }
}

/* ---- the job ---- */

/* On a thread of its own: it touches nothing but the job. The last descriptors are not for segments. */
static void work(uv_work_t *handle)
{
    struct stock_job *job = handle->data;
    close_all(&job->old);
    while (job->made.count < job->wanted) {
        int fd = memfd_blank();
        if (fd < 0) {
            return;
        }
        if (fd >= job->ceiling) {
            (void)close(fd);
            return;
        }
        put(&job->made, fd);
    }
}

static void done(uv_work_t *handle, int status)
{
    struct stock_job *job = handle->data;
    struct server *server = container_of(job, struct server, stock.job);
    struct stock *stock = &server->stock;
    (void)status;
    stock->is_busy = false;
    stock->has_failed = job->wanted ? job->made.count < job->wanted : stock->has_failed;
    while (job->made.count) {
        int fd = job->made.fd[--job->made.count];
        descriptor_note(&server->descriptors, fd, DESCRIPTOR_STOCK);
        put(&stock->blank, fd);
    }
}

static void forget_all(struct server *server, const struct stock_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        descriptor_forget(&server->descriptors, list->fd[i]);
    }
}

static size_t missing(const struct stock *stock)
{
    return stock->is_wanted ? stock->capacity - stock->blank.count : 0;
}

/* Whether so many are gone that a job pays, or nothing else is to be done. */
static bool is_to_fill(const struct stock *stock)
{
    size_t count = missing(stock);
    return count && (stock->has_rested || (count > stock->capacity / 2 && !stock->has_failed));
}

static void begin_job(struct server *server, size_t wanted)
{
    struct stock *stock = &server->stock;
    struct stock_job *job = &stock->job;
    forget_all(server, &stock->old); /* before they are closed: others may get their numbers at once */
    job->old = stock->old;
    stock->old.count = 0;
    job->wanted = wanted;
    job->work.data = job;
    stock->has_rested = false;
    stock->is_busy = uv_queue_work(&server->loop, &job->work, work, done) == 0; /* fails for no work only */
}

static void close_few(struct server *server, struct stock_list *list)
{
    forget_all(server, list);
    close_all(list);
}

void stock_work(struct server *server)
{
    struct stock *stock = &server->stock;
    if (server->is_closing || stock->is_busy) {
        return;
    }
    if (is_to_fill(stock) || stock->old.count >= FEW) {
        begin_job(server, is_to_fill(stock) ? missing(stock) : 0);
    } else {
        close_few(server, &stock->old);
    }
    bool is_resting = uv_is_active((const uv_handle_t *)&stock->rest);
    if (missing(stock) && !stock->is_busy && !is_resting) {
        (void)uv_timer_start(&stock->rest, on_rest, stock->has_failed ? FAILED_REST_MS : REST_MS, 0);
    }
}

void stock_deinit(struct server *server)
{
    close_few(server, &server->stock.blank);
    close_few(server, &server->stock.old);
}
