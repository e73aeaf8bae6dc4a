/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners hear the events of a client whose options somebody else chose. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

TestSuite(listeners, .timeout = 60);

struct heard {
    atomic_uint losses;
    mb_listener *ends; /* the callback ends this one */
    atomic_bool is_in, may_go;
};

static void hear(const mb_event *event, void *user_data)
{
    struct heard *heard = user_data;
    if (event->type == MB_EVENT_LEASE_LOST) {
        mb_listener_end(heard->ends);
        heard->ends = NULL;
        heard->losses++;
    }
}

static mb_listener *listen_to(mb_client *to, struct heard *heard)
{
    mb_listener *listener = NULL;
    cr_assert(mb_client_listen(to, hear, heard, &listener) == 0, "%s", mb_last_error());
    return listener;
}

static void lose_one(mb_client *of)
{
    mb_lease *lease;
    cr_assert(mb_acquire(of, MIB, NULL, &lease) == 0, "%s", mb_last_error());
    cr_assert(fixture_revoke(&fixture, mb_lease_id(lease)) == 0);
}

Test(listeners, a_second_user_of_the_shared_client_hears_what_the_first_one_hears)
{
    struct heard first = {0}, second = {0}, third = {0};
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *shared, *same;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.on_event = hear;
    options.user_data = &first;
    cr_assert(mb_client_shared(&options, &shared) == 0 && mb_client_shared(NULL, &same) == 0, "%s", mb_last_error());
    mb_listener *listener = listen_to(same, &second);
    (void)listen_to(same, &third); /* ends with the client */
    lose_one(shared);
    WAIT_UNTIL(third.losses == 1);
    cr_expect(first.losses == 1 && second.losses == 1);
    mb_listener_end(listener);
    lose_one(shared);
    WAIT_UNTIL(third.losses == 2);
    cr_expect(first.losses == 2 && second.losses == 1);
    mb_client_shared_release(same);
    mb_client_shared_release(shared);
    fixture_stop(&fixture);
}

/* Without a call of the program, and without on_event: the listener starts the thread. */
Test(listeners, one_starts_the_thread_that_tells_it)
{
    struct heard heard = {0};
    fixture_start(&fixture, "");
    mb_client *quiet = fixture_connect(&fixture, 0);
    (void)listen_to(quiet, &heard);
    lose_one(quiet);
    WAIT_UNTIL(heard.losses == 1);
    mb_disconnect(quiet);
    fixture_stop(&fixture);
}

Test(listeners, a_client_without_a_thread_tells_them_in_its_calls)
{
    struct heard heard = {0};
    fixture_start(&fixture, "");
    mb_client *manual = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    (void)listen_to(manual, &heard);
    lose_one(manual);
    sleep_ms(100);
    cr_expect(heard.losses == 0);
    cr_expect(mb_client_dispatch(manual) == 0 && heard.losses == 1);
    mb_disconnect(manual);
    fixture_stop(&fixture);
}

/* ---- ending ---- */

Test(listeners, a_callback_may_end_its_own_and_others)
{
    struct heard itself = {0}, before = {0}, after = {0}, last = {0};
    fixture_start(&fixture, "");
    mb_client *own = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    itself.ends = listen_to(own, &itself);
    mb_listener *behind = listen_to(own, &before);
    before.ends = listen_to(own, &after);
    last.ends = behind; /* which has been heard already */
    (void)listen_to(own, &last);
    lose_one(own);
    cr_expect(mb_client_dispatch(own) == 0);
    cr_expect(itself.losses == 1 && before.losses == 1 && after.losses == 0 && last.losses == 1);
    lose_one(own);
    cr_expect(mb_client_dispatch(own) == 0);
    cr_expect(itself.losses == 1 && before.losses == 1 && after.losses == 0 && last.losses == 2);
    mb_disconnect(own);
    fixture_stop(&fixture);
}

static void linger(const mb_event *event, void *user_data)
{
    struct heard *heard = user_data;
    (void)event;
    heard->is_in = true;
    while (!heard->may_go) {
        sleep_ms(1);
    }
    heard->losses++;
}

static void *end_it(void *argument)
{
    mb_listener_end(argument);
    return NULL;
}

Test(listeners, the_end_waits_for_a_callback_that_runs)
{
    struct heard heard = {0};
    mb_listener *listener = NULL;
    pthread_t thread;
    fixture_start(&fixture, "");
    mb_client *own = fixture_connect(&fixture, 0);
    cr_assert(mb_client_listen(own, linger, &heard, &listener) == 0);
    lose_one(own);
    WAIT_UNTIL(heard.is_in);
    cr_assert(pthread_create(&thread, NULL, end_it, listener) == 0);
    sleep_ms(100);
    cr_expect(pthread_tryjoin_np(thread, NULL) == EBUSY);
    heard.may_go = true;
    (void)pthread_join(thread, NULL);
    cr_expect(heard.losses == 1);
    mb_disconnect(own);
    fixture_stop(&fixture);
}

/* ---- refusals ---- */

Test(listeners, the_function_is_needed_and_a_forked_child_has_none)
{
    struct heard heard = {0};
    mb_listener *listener = NULL;
    fixture_start(&fixture, "");
    mb_client *own = fixture_connect(&fixture, 0);
    cr_expect(mb_client_listen(own, NULL, NULL, &listener) == -EINVAL);
    mb_listener_end(NULL);
    mb_listener *parents = listen_to(own, &heard);
    pid_t child = fork();
    if (child == 0) {
        mb_listener_end(parents);
        _exit(mb_client_listen(own, hear, &heard, &listener) == -EPERM && !listener ? 0 : 1);
    }
    int status;
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    lose_one(own);
    WAIT_UNTIL(heard.losses == 1);
    mb_disconnect(own);
    fixture_stop(&fixture);
}
