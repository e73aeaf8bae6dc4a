/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_source.h"

#include <errno.h>

#include "membroker.h"
#include "proto/base/text.h"

/* An answer that says no leaves the connection as it is. */
static bool breaks(int result)
{
    return result == -ENOTCONN || result == -ETIMEDOUT || result == -EPROTO;
}

int source_ask(void *data, struct request *request, const struct reply **ret)
{
    struct source *source = data;
    int result = source->monitor ? 0 : monitor_open(source->socket, source->timeout_ms, &source->monitor);
    if (result == 0) {
        result = monitor_call(source->monitor, request, source->timeout_ms, ret);
    }
    if (result < 0) {
        text_copy(source->sentence, sizeof source->sentence, mb_last_error());
        text_end_whole(source->sentence);
    }
    if (result < 0 && breaks(result)) {
        source_close(source);
    }
    return result;
}

void source_close(struct source *source)
{
    source->monitor = monitor_close(source->monitor);
}
