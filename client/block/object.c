/* SPDX-License-Identifier: Apache-2.0 */
/* Small objects: putting, getting and removing copies of bytes. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/background.h"
#include "client/block/block.h"
#include "client/boards.h"
#include "client/call.h"
#include "client/client.h"
#include "client/error.h"
#include "client/owner.h"
#include "client/thread.h"
#include "proto/base/text.h"

_Static_assert((int)MB_OBJECT_BYTES_MAX == MESSAGE_OBJECT_MAX, "what the library takes fits the message");

/* ---- putting ---- */

static int check(const void *data, size_t bytes, const mb_object_options *options)
{
    if (options->size < sizeof *options) {
        return error_set(-EINVAL, "the options must begin as MB_OBJECT_OPTIONS_INIT");
    }
    if ((unsigned)options->access > MB_ACCESS_ALL) {
        return error_set(-EINVAL, "the access of the object is none that this library knows");
    }
    if ((unsigned)options->lifetime > MB_LIFETIME_KEEP) {
        return error_set(-EINVAL, "an object's lifetime is MB_LIFETIME_SESSION or MB_LIFETIME_KEEP; publish as a block "
                                  "what is to be evicted when memory is short");
    }
    int result = block_check_group(options->access, options->gid);
    result = result < 0 ? result : block_check_copied("data", data, bytes);
    if (result == 0 && bytes > MB_OBJECT_BYTES_MAX) {
        return error_set(-EINVAL, "an object has at most %d bytes, not %zu; publish what is longer as a block",
                         MB_OBJECT_BYTES_MAX, bytes);
    }
    return result;
}

/* It ends with the session, so a goodbye waits until it is gone. */
static void note_session(mb_client *client)
{
    (void)pthread_mutex_lock(&client->lock);
    client->session.had_lease = true;
    (void)pthread_mutex_unlock(&client->lock);
}

/* Memory that is being freed, such as what the broker's pool gives up for the object, is free a little later. */
static int put_until_free(mb_client *client, const struct request *asked)
{
    enum { FIRST_PAUSE_MS = 1, LONGEST_PAUSE_MS = 50 };
    uint64_t until = clock_milliseconds() + client->options.timeout_ms;
    uint32_t pause_ms = FIRST_PAUSE_MS;
    for (;;) {
        struct request request = *asked;
        struct call call = {0};
        int result = call_broker(client, &request, &call);
        if (result == 0 || !call.comes_free || clock_milliseconds() >= until) {
            return result;
        }
        (void)usleep(pause_ms * 1000);
        pause_ms = pause_ms < LONGEST_PAUSE_MS ? pause_ms * 2 : pause_ms;
    }
}

int mb_put(mb_client *client, const char *name, const void *data, size_t bytes, const mb_object_options *options)
{
    static const mb_object_options defaults = MB_OBJECT_OPTIONS_INIT;
    options = options ? options : &defaults;
    struct request request = {.kind = REQUEST_PUT};
    int result = owner_check(client);
    result = result < 0 ? result : block_check_name(name);
    result = result < 0 ? result : check(data, bytes, options);
    if (result < 0) {
        return result;
    }
    request.put = (struct put_request){.data = {.data = data, .count = bytes},
                                       .lifetime = (enum lifetime)options->lifetime,
                                       .access = (enum block_access)options->access,
                                       .gid = options->gid};
    text_copy(request.put.name, sizeof request.put.name, name);
    note_session(client);
    (void)background_need(client); /* it connects again after a restart of the broker */
    return error_end(put_until_free(client, &request));
}

int mb_remove(mb_client *client, const char *name)
{
    struct request request = {.kind = REQUEST_REMOVE};
    struct call call = {0};
    int result = block_check_name(name);
    if (result == 0) {
        text_copy(request.remove.name, sizeof request.remove.name, name);
        result = call_broker(client, &request, &call);
    }
    return error_end(result);
}

/* ---- getting ---- */

static int ask(mb_client *client, const struct get_request *asked, void *buffer, size_t size)
{
    struct request request = {.kind = REQUEST_GET, .get = *asked};
    struct got_answer got = {.buffer = buffer, .size = size};
    struct call call = {.got = &got};
    int result = call_broker(client, &request, &call);
    if (result < 0) {
        return result;
    }
    if (got.board) {
        boards_open(client, got.board);
    }
    return error_end((int)got.bytes);
}

int mb_get(mb_client *client, const char *name, void *buffer, size_t size)
{
    struct board_name sought;
    size_t bytes;
    enum board_answer answer = BOARD_ABSENT;
    int result = owner_check(client);
    if (result < 0) {
        return result;
    }
    if (board_name_set(&sought, name)) {
        answer = boards_read(client, &sought, buffer, size, &bytes);
    }
    if (answer == BOARD_FOUND) {
        return error_end((int)bytes);
    }
    if (answer == BOARD_ENDED) {
        boards_drop_ended(client);
    }
    result = block_check_name(name);
    if (result < 0) {
        return result;
    }
    struct get_request asked = {0};
    text_copy(asked.name, sizeof asked.name, name);
    return ask(client, &asked, buffer, size);
}

int mb_get_from(mb_client *client, uint32_t owner, const char *name, void *buffer, size_t size)
{
    struct get_request asked = {.has_owner = true, .owner = owner};
    int result = block_check_name(name);
    if (result < 0) {
        return result;
    }
    text_copy(asked.name, sizeof asked.name, name);
    return ask(client, &asked, buffer, size);
}
