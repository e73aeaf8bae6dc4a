/* SPDX-License-Identifier: Apache-2.0 */
/* Acts on the broker's events, and passes them on to the program. */
#include "client/notice.h"

#include "client/answer.h"
#include "client/client.h"
#include "client/trim.h"

/* Without the page no grant of its slots could be checked. The next connection of the session brings it again. */
static void take_control_page(mb_client *client, const struct control_page_event *page, int fd)
{
    const char *fault;
    if (control_take(client, client->session.id, fd, page, &fault) < 0) {
        link_break(client);
    }
}

/* Not for a lease that has ended: the program may have been told of that already. */
static void push_warning(mb_client *client, mb_event_type type, uint64_t id, uint64_t milliseconds)
{
    const mb_event details = {.milliseconds = milliseconds};
    mb_lease *lease = lease_table_find(client, id);
    if (lease && lease_is_held(lease) && mb_lease_end_reason(lease) == MB_END_NONE) {
        events_push(client, type, lease, &details);
    }
}

static void take_expiring(mb_client *client, const struct expiring_event *expiring)
{
    client->renewal.at = 0;
    wakeup_send(client);
    push_warning(client, MB_EVENT_EXPIRING, expiring->lease, expiring->remaining_ms);
}

/* While the client disconnects, everything goes back anyway. */
static void take_trim(mb_client *client, const struct trim_event *trim)
{
    const mb_event details = {.bytes = trim->wanted_bytes, .location = (mb_location)trim->location};
    if (!client->is_stopping) {
        trim_ask(client);
        events_push(client, MB_EVENT_TRIM, NULL, &details);
    }
}

static void take_limits(mb_client *client, const struct limits_event *limits)
{
    client->session.times = limits->times;
    events_push(client, MB_EVENT_LIMITS_CHANGED, NULL, NULL);
}

static void take_pressure(mb_client *client, enum pressure pressure)
{
    const mb_event details = {.pressure = (mb_pressure)pressure};
    events_push(client, MB_EVENT_PRESSURE, NULL, &details);
}

void notice_take(mb_client *client, const struct reply *reply, int fd)
{
    switch (reply->kind) {
    case EVENT_EXPIRING:
        take_expiring(client, &reply->expiring);
        break;
    case EVENT_LEASE_ENDED:
        answer_note_ended(client, &reply->lease_ended);
        break;
    case EVENT_LIMITS_CHANGED:
        take_limits(client, &reply->limits_changed);
        break;
    case EVENT_TRIM:
        take_trim(client, &reply->trim);
        break;
    case EVENT_PRESSURE:
        take_pressure(client, reply->pressure);
        break;
    case EVENT_REVOKING:
        push_warning(client, MB_EVENT_REVOKING, reply->revoking.lease, reply->revoking.remaining_ms);
        break;
    case EVENT_CONTROL_PAGE:
        take_control_page(client, &reply->control_page, fd);
        break;
    case EVENT_SPARED:
        push_warning(client, MB_EVENT_SPARED, reply->spared_lease, 0);
        break;
    case EVENT_SHUTTING_DOWN:
        events_push(client, MB_EVENT_SHUTTING_DOWN, NULL, NULL);
        break;
    case REPLY_UNKNOWN: /* an event that is newer than this library */
    case REPLY_ERROR:
    case REPLY_WELCOME:
    case REPLY_GRANT:
    case REPLY_DONE:
    case REPLY_RENEWED:
    case REPLY_STATUS:
    case REPLY_LISTING:
    case REPLY_PONG:
    case REPLY_AUDIT:
    case REPLY_WHY:
    case REPLY_METRICS:
    case REPLY_ATTACHED:
    case REPLY_GOT:
    case REPLY_BOARD_PART:
    case REPLY_BLOCK_CHANGES:
    case REPLY_KINDS:
        break;
    }
}
