/* SPDX-License-Identifier: Apache-2.0 */
/* First without waiting; then, if the caller may wait, in a thread of its own. */
#include "client/python/src/acquire.h"

#include <errno.h>
#include <time.h>

#include "client/python/src/errors.h"
#include "client/python/src/gil.h"
#include "client/python/src/losses.h"
#include "client/python/src/waiting.h"

struct work {
    struct owner *owner;
    uint64_t bytes;
    mb_lease_options options;
    uint64_t deadline; /* of the wait, in ms of the monotonic clock */
    struct acquired acquired;
    struct failure failure;
};

static uint64_t now_ms(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Without the interpreter's lock. */
static int acquire_and_map(struct work *work)
{
    mb_lease *lease;
    int result = mb_acquire(work->owner->client, work->bytes, &work->options, &lease);
    if (result == 0) {
        losses_hook();
        result = mb_map(lease, 0, &work->acquired.data, &work->acquired.bytes);
        work->acquired.lease = lease;
        if (result < 0) {
            failure_take(&work->failure, result);
            (void)mb_release(lease);
            return result;
        }
    }
    if (result < 0) {
        failure_take(&work->failure, result);
    }
    return result;
}

static int wait_in_queue(void *argument)
{
    struct work *work = argument;
    uint64_t now = now_ms();
    work->options.wait_ms = work->deadline > now ? (uint32_t)(work->deadline - now) : 1;
    return acquire_and_map(work);
}

static bool is_short(int result)
{
    return result == -ENOMEM || result == -ENOSPC;
}

bool acquire(struct owner *owner, uint64_t bytes, const mb_lease_options *options, PyObject *progress,
             struct acquired *ret)
{
    struct work work = {.owner = owner, .bytes = bytes, .options = *options};
    enum waiting_end end = WAITING_DONE;
    work.deadline = now_ms() + options->wait_ms;
    work.options.wait_ms = 0;
    struct gil gil = gil_drop();
    int result = acquire_and_map(&work);
    gil_take(gil);
    if (is_short(result) && options->wait_ms) {
        if (atomic_load(&owner->is_closed)) {
            end = WAITING_CLOSED;
        } else {
            const struct waiting_call call = {owner, wait_in_queue, &work, bytes, progress};
            result = waiting_run(&call, &end);
        }
    }
    bool is_granted = waiting_succeeded(end, result, &work.failure);
    if (is_granted) {
        *ret = work.acquired;
    } else if (result == 0) {
        (void)mb_release(work.acquired.lease);
    }
    return is_granted;
}
