/* SPDX-License-Identifier: Apache-2.0 */
/* First without waiting; then, if the caller may wait, in a thread of its own. */
#include "client/python/src/acquire.h"

#include <errno.h>

#include "client/python/src/errors.h"
#include "client/python/src/gil.h"
#include "client/python/src/losses.h"
#include "client/python/src/waiting.h"

struct work {
    struct owner *owner;
    uint64_t bytes;
    int (*function)(struct work *work, uint32_t wait_ms); /* without the interpreter's lock */
    const void *options;                                  /* the function's */
    uint64_t deadline;                                    /* of the wait */
    struct acquired acquired;
    struct failure failure;
};

static int get_lease(struct work *work, uint32_t wait_ms)
{
    mb_lease_options options = *(const mb_lease_options *)work->options;
    struct acquired *acquired = &work->acquired;
    options.wait_ms = wait_ms;
    int result = mb_acquire(work->owner->client, work->bytes, &options, &acquired->lease);
    if (result < 0) {
        failure_take(&work->failure, result);
        return result;
    }
    result = mb_map(acquired->lease, 0, &acquired->data, &acquired->bytes);
    if (result < 0) {
        failure_take(&work->failure, result);
        (void)mb_release(acquired->lease);
    }
    return result;
}

static int get_block(struct work *work, uint32_t wait_ms)
{
    mb_block_options options = *(const mb_block_options *)work->options;
    mb_block *block;
    options.wait_ms = wait_ms;
    int result = mb_block_create(work->owner->client, work->bytes, &options, &block);
    if (result < 0) {
        failure_take(&work->failure, result);
        return result;
    }
    work->acquired = (struct acquired){
        .lease = mb_block_lease(block), .block = block, .data = mb_block_data(block), .bytes = mb_block_bytes(block)};
    return 0;
}

static int get(struct work *work, uint32_t wait_ms)
{
    int result = work->function(work, wait_ms);
    if (result == 0) {
        losses_hook();
    }
    return result;
}

static int wait_in_queue(void *argument)
{
    struct work *work = argument;
    return get(work, waiting_left_ms(work->deadline));
}

static bool is_short(int result)
{
    return result == -ENOMEM || result == -ENOSPC;
}

static bool get_or_wait(struct work *work, uint32_t wait_ms, PyObject *progress, struct acquired *ret)
{
    enum waiting_end end = WAITING_DONE;
    work->deadline = waiting_now_ms() + wait_ms;
    struct gil gil = gil_drop();
    int result = get(work, 0);
    gil_take(gil);
    if (is_short(result) && wait_ms) {
        if (atomic_load(&work->owner->is_closed)) {
            end = WAITING_CLOSED;
        } else {
            const struct waiting_call call = {work->owner, wait_in_queue, work, work->bytes, progress};
            result = waiting_run(&call, &end);
        }
    }
    bool is_granted = waiting_succeeded(end, result, &work->failure);
    if (is_granted) {
        *ret = work->acquired;
    } else if (result == 0) {
        (void)mb_release(work->acquired.lease);
    }
    return is_granted;
}

bool acquire(struct owner *owner, uint64_t bytes, const mb_lease_options *options, PyObject *progress,
             struct acquired *ret)
{
    struct work work = {.owner = owner, .bytes = bytes, .function = get_lease, .options = options};
    return get_or_wait(&work, options->wait_ms, progress, ret);
}

bool acquire_block(struct owner *owner, uint64_t bytes, const mb_block_options *options, PyObject *progress,
                   struct acquired *ret)
{
    struct work work = {.owner = owner, .bytes = bytes, .function = get_block, .options = options};
    return get_or_wait(&work, options->wait_ms, progress, ret);
}
