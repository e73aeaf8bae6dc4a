/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs share: asking the broker, and printing its answer. */
#include "client/ctl/ctl.h"

#include <errno.h>

#include "client/ctl/monitor.h"
#include "client/ctl/print.h"
#include "proto/base/size.h"

enum { TIMEOUT_MS = 5000, LONG_TIMEOUT_MS = 60000 };

static struct monitor *monitor; /* one connection for all questions of a run */

/* Whether the answer is of the kind that belongs to the request. Otherwise the wrong union member would be read. */
static bool answers(enum request_kind request, enum reply_kind reply)
{
    static const enum reply_kind kinds[REQUEST_KINDS] = {
        [REQUEST_STATUS] = REPLY_STATUS,  [REQUEST_LIST] = REPLY_LISTING, [REQUEST_REVOKE] = REPLY_DONE,
        [REQUEST_PING] = REPLY_PONG,      [REQUEST_AUDIT] = REPLY_AUDIT,  [REQUEST_WHY] = REPLY_WHY,
        [REQUEST_RELOAD] = REPLY_DONE,    [REQUEST_RESERVE] = REPLY_DONE, [REQUEST_ATTACH] = REPLY_DONE,
        [REQUEST_UNRESERVE] = REPLY_DONE, [REQUEST_SUSPEND] = REPLY_DONE, [REQUEST_METRICS] = REPLY_METRICS,
        [REQUEST_UNPUBLISH] = REPLY_DONE, [REQUEST_REMOVE] = REPLY_DONE,
    };
    return kinds[request] == reply;
}

const char *ctl_socket(void)
{
    return monitor ? monitor_socket(monitor) : "";
}

void ctl_hang_up(void)
{
    monitor = monitor_close(monitor);
}

static uint32_t timeout_of(const struct ctl_options *options, uint32_t usual)
{
    return options->timeout_ms ? options->timeout_ms : usual;
}

/* An audit examines every segment, and a reload reads files and looks up users, so both may take longer. */
static uint32_t usual_timeout(enum request_kind kind)
{
    return kind == REQUEST_AUDIT || kind == REQUEST_RELOAD ? LONG_TIMEOUT_MS : TIMEOUT_MS;
}

int ctl_ask(const struct ctl_options *options, struct request *request, const struct reply **ret)
{
    if (!monitor) {
        int result = monitor_open(options->socket, timeout_of(options, TIMEOUT_MS), &monitor);
        if (result < 0) {
            return ctl_failed(result);
        }
    }
    int result = monitor_call(monitor, request, timeout_of(options, usual_timeout(request->kind)), ret);
    if (result < 0) {
        return ctl_failed(result);
    }
    if (!answers(request->kind, (*ret)->kind)) {
        return ctl_fail(-EPROTO, "the broker's answer does not fit the request; check that it has this version");
    }
    return CTL_DONE;
}

int ctl_print(json_t *document, bool compact)
{
    return print_json(document, compact) ? CTL_DONE : ctl_fail(-ENOMEM, "out of memory");
}
