/* SPDX-License-Identifier: Apache-2.0 */
/* The welcome: resuming the session, or beginning another one if the broker does not know it. */
#include "client/session.h"

#include <errno.h>

#include "client/cancel.h"
#include "client/client.h"
#include "client/error.h"
#include "client/orphans.h"

/* ---- what was under way when the connection broke ---- */

/* False: some are still owed, or the connection broke again. Then all of them are repeated once more. */
static bool send_owed_calls(mb_client *client)
{
    struct call *call;
    TAILQ_FOREACH(call, &client->calls.sent, in_client) {
        if (call->owes_request) {
            calls_make_repetition(call, link_next_id(client));
            if (link_send(client, call->request) < 0) {
                return false;
            }
            call->owes_request = false;
        }
    }
    return true;
}

/* The calls are repeated first, so that what they were granted already is not taken for orphans. */
void session_send_owed(mb_client *client)
{
    if (client->link.state == LINK_UP && send_owed_calls(client)) {
        orphans_send_owed(client);
    }
}

bool session_is_owing(const mb_client *client)
{
    const struct call *call;
    bool is_owing = client->session.owes_list;
    TAILQ_FOREACH(call, &client->calls.sent, in_client) {
        is_owing = is_owing || call->owes_request;
    }
    return is_owing;
}

/* Hundreds of threads may wait, and the socket takes fewer requests at once. Upkeep sends the rest. */
static void repeat_calls(mb_client *client)
{
    struct call *call;
    TAILQ_FOREACH(call, &client->calls.sent, in_client) {
        call->owes_request = call->request;
    }
    session_send_owed(client);
    cancel_send(client);
    if (session_is_owing(client)) {
        wakeup_send(client);
    }
}

/* ---- the welcome ---- */

static void note_welcome(mb_client *client, const struct welcome_reply *welcome)
{
    struct session *session = &client->session;
    session->id = welcome->session;
    session->token = welcome->token;
    session->times = welcome->times;
    session->leases_survive = welcome->leases_survive;
    session->is_sealing = false;
    session->hello_id = 0;
    client->link.state = LINK_UP;
    client->link.backoff_ms = 0;
    client->renewal.at = TAILQ_EMPTY(&client->leases.list) ? UINT64_MAX : 0;
}

static void resume(mb_client *client)
{
    orphans_owe_list(client, 0);
    repeat_calls(client);
    renewal_forget_use(client);
    lease_table_sweep(client, MB_END_NONE);
    events_push(client, MB_EVENT_RESUMED, NULL, NULL);
}

static int take_welcome(mb_client *client, const struct welcome_reply *welcome, int fd, const char **ret_fault)
{
    struct session *session = &client->session;
    bool is_resumed = welcome->resumed && welcome->session == session->id;
    const struct control_page_event page = {.bytes = welcome->control_bytes};
    int result = control_take(client, welcome->session, fd, &page, ret_fault);
    if (result < 0) {
        return result;
    }
    if (!is_resumed) {
        session->had_another = session->had_another || session->id != 0;
        lease_table_sweep(client, MB_END_BROKER_GONE);
    }
    note_welcome(client, welcome);
    if (is_resumed) {
        resume(client);
        return 0;
    }
    repeat_calls(client);
    if (session->had_another) {
        events_push(client, MB_EVENT_NEW_SESSION, NULL, NULL);
    }
    return 0;
}

/* Everything in the old session is lost. The new one begins on the same connection. */
static void begin_another(mb_client *client)
{
    struct request request = {.id = link_next_id(client), .kind = REQUEST_HELLO, .hello = client->link.hello};
    lease_table_sweep(client, MB_END_BROKER_GONE);
    calls_fail_in_session(client);
    client->session.had_another = true;
    client->session.id = 0;
    client->session.hello_id = request.id;
    (void)link_send(client, &request);
}

void session_take_answer(mb_client *client, const struct reply *reply, int fd)
{
    struct call *call = calls_find(client, reply->reply_to);
    int result = -EPROTO;
    const char *sentence = "the broker's welcome is not valid";
    if (reply->kind == REPLY_WELCOME) {
        const char *fault = NULL;
        result = take_welcome(client, &reply->welcome, fd, &fault);
        sentence = fault ? fault : sentence;
    } else if (reply->kind == REPLY_ERROR && reply->error.code == ERROR_NO_SUCH_SESSION && client->session.id) {
        begin_another(client);
        return;
    } else if (reply->kind == REPLY_ERROR) {
        result = error_from_broker(&reply->error);
        sentence = reply->error.sentence;
    }
    if (call) {
        calls_finish(client, call, result, sentence);
    }
    if (result < 0) {
        link_break(client);
    }
}
