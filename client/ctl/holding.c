/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/holding.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>

#include "proto/base/cleanup.h"
#include "proto/base/size.h"

static void ending_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGTERM);
}

static void on_event(const mb_event *event, void *user_data)
{
    uint64_t one = 1;
    if (event->type == MB_EVENT_LEASE_LOST) {
        (void)!write(((const struct holding *)user_data)->lost, &one, sizeof one);
    }
}

static int check_broker(const struct ctl_options *options)
{
    struct request ping = {.kind = REQUEST_PING};
    const struct reply *reply;
    int result = ctl_ask(options, &ping, &reply);
    ctl_hang_up();
    return result;
}

static int connect_to(const struct ctl_options *options, const char *name, uint32_t flags, struct holding *ret)
{
    mb_client_options connect = MB_CLIENT_OPTIONS_INIT;
    connect.socket = options->socket;
    connect.timeout_ms = options->timeout_ms;
    connect.name = name;
    connect.flags = flags;
    connect.on_event = on_event;
    connect.user_data = ret;
    int result = mb_connect(&connect, &ret->client);
    return result < 0 ? ctl_failed(result) : CTL_DONE;
}

int holding_open(const struct ctl_options *options, const char *name, uint32_t flags, struct holding *ret)
{
    sigset_t ending;
    *ret = (struct holding){.signals = -EBADF, .lost = -EBADF};
    int status = check_broker(options);
    if (status != CTL_DONE) {
        return status;
    }
    ending_signals(&ending);
    ret->signals = signalfd(-1, &ending, SFD_CLOEXEC);
    ret->lost = eventfd(0, EFD_CLOEXEC);
    if (ret->signals < 0 || ret->lost < 0) {
        status = ctl_fail(-errno, "no descriptor to wait on: %s", strerrordesc_np(errno));
    } else {
        status = connect_to(options, name, flags, ret);
    }
    if (status != CTL_DONE) {
        holding_close(ret);
    }
    return status;
}

void holding_close(struct holding *holding)
{
    if (holding->client) {
        mb_disconnect(holding->client);
    }
    holding->signals = fd_close(holding->signals);
    holding->lost = fd_close(holding->lost);
}

void holding_block_signals(void)
{
    sigset_t ending;
    ending_signals(&ending);
    (void)sigprocmask(SIG_BLOCK, &ending, NULL);
}

bool holding_is_signalled(const struct holding *holding)
{
    struct pollfd descriptor = {.fd = holding->signals, .events = POLLIN};
    return poll(&descriptor, 1, 0) > 0;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* In portions: poll() counts no further than 24 days. */
int holding_wait(const struct holding *holding, const mb_lease *lease, uint64_t milliseconds)
{
    struct pollfd descriptors[2] = {{.fd = holding->signals, .events = POLLIN},
                                    {.fd = holding->lost, .events = POLLIN}};
    uint64_t end = size_add_saturated(now_ms(), milliseconds), left = milliseconds;
    int ready;
    do {
        ready = poll(descriptors, 2, (int)size_min(left, INT_MAX));
        left = size_subtract_floored(end, now_ms());
    } while (left > 0 && (ready == 0 || (ready < 0 && errno == EINTR)));
    int result = mb_lease_check(lease);
    return result < 0 ? ctl_failed(result) : CTL_DONE;
}
