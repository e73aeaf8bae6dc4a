/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/host_room.h"

#include "proto/base/size.h"

/* RAM that was granted under the present snapshot and still stands counts as used: its pages may come at any time. */
uint64_t host_room_bytes(const struct broker *broker)
{
    return size_subtract_floored(broker->host_available_bytes, broker->host_granted_since);
}

void host_room_count(struct broker *broker, struct segment *segment)
{
    if (location_is_memory(segment->charge.location)) {
        segment->host_epoch = broker->host_epoch;
        broker->host_granted_since += segment->charge.bytes;
    }
}

void host_room_uncount(struct broker *broker, const struct segment *segment)
{
    if (location_is_memory(segment->charge.location) && segment->host_epoch == broker->host_epoch) {
        broker->host_granted_since = size_subtract_floored(broker->host_granted_since, segment->charge.bytes);
    }
}

bool host_room_is_paused(const struct broker *broker)
{
    enum pressure pause_at = broker->options.settings.pause_at;
    return pause_at != PRESSURE_NONE && broker->pressure >= pause_at;
}

void host_room_update(struct broker *broker, const struct input_host *host)
{
    broker->host_available_bytes = host->available_bytes;
    broker->host_total_bytes = host->total_bytes;
    broker->host_granted_since = 0;
    broker->host_epoch++;
    broker->retry_waiting = true;
}
