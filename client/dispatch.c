/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of a program without a background thread, and small questions about a client. */
#include <errno.h>

#include "client/call.h"
#include "client/client.h"
#include "client/error.h"
#include "client/owner.h"
#include "client/upkeep.h"

static int check_manual(const mb_client *client)
{
    if (!(client->options.flags & MB_CLIENT_NO_THREAD)) {
        return error_set(-EINVAL, "this client has a background thread; connect with MB_CLIENT_NO_THREAD to dispatch");
    }
    return owner_check(client);
}

int mb_client_fd(mb_client *client)
{
    int result = check_manual(client);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    result = wakeup_descriptor(client);
    (void)pthread_mutex_unlock(&client->lock);
    return error_end(result);
}

int mb_client_timeout(mb_client *client)
{
    int result = check_manual(client);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    result = upkeep_timeout(client);
    (void)pthread_mutex_unlock(&client->lock);
    (void)error_end(0);
    return result;
}

int mb_client_dispatch(mb_client *client)
{
    int result = check_manual(client);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    wakeup_settle(&client->wakeup);
    upkeep_connection(client);
    receive_all(client);
    releases_flush(client);
    (void)pthread_mutex_unlock(&client->lock);
    upkeep_program(client);
    return error_end(0);
}

mb_pressure mb_client_pressure(mb_client *client)
{
    (void)background_need(client); /* which finds the page of a broker that was restarted */
    (void)pthread_mutex_lock(&client->lock);
    uint32_t pressure = control_pressure(client);
    (void)pthread_mutex_unlock(&client->lock);
    return (mb_pressure)pressure;
}

uint64_t mb_client_session(const mb_client *client)
{
    return client->session.id;
}

int mb_ping(mb_client *client)
{
    struct request request = {.kind = REQUEST_PING};
    struct call call = {0};
    return error_end(call_broker(client, &request, &call));
}
