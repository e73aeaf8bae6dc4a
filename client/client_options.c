/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what the program passed to mb_connect(), and fills in defaults. */
#include "client/client_options.h"

#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "client/error.h"
#include "client/misuse.h"
#include "client/socket_path.h"
#include "proto/name.h"

enum { DEFAULT_TIMEOUT_MS = 30000 };

static void fill_hello(struct hello_request *hello, const char *name, const mb_client_options *options)
{
    *hello = (struct hello_request){
        .protocol_min = PROTOCOL_VERSION_OLDEST,
        .protocol_max = PROTOCOL_VERSION,
        .heap_bytes = options->heap_bytes,
        .max_bytes = options->max_bytes,
        .max_physical_bytes = options->max_physical_bytes,
    };
    (void)stpncpy(hello->name, name_is_valid(name) ? name : "", sizeof hello->name - 1);
}

int client_options_take(mb_client *client, const mb_client_options *options)
{
    const char *name = options->name ? options->name : program_invocation_short_name;
    client->options = (struct client_options){
        .flags = options->flags | (misuse_wanted() ? MB_CLIENT_CATCH_MISUSE : 0),
        .timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS,
        .on_event = options->on_event,
        .on_reclaim = options->on_reclaim,
        .user_data = options->user_data,
        .max_retries = options->max_retries,
        .retry_wait_ms = options->retry_wait_ms,
        .wait_ms = options->wait_ms,
        .cache_bytes = options->cache_bytes,
    };
    if (options->name && !name_is_valid(name)) {
        return error_set(-EINVAL, "the client's name must be UTF-8 of at most 63 bytes without control characters");
    }
    fill_hello(&client->link.hello, name, options);
    return socket_path_resolve(options->socket, &client->link.address);
}
