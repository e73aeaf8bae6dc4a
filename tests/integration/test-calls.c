/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait: over a broken connection, cancelled, and in a client without a thread. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/manager.h"
#include "tests/integration/workspaces.h"

TestSuite(calls, .timeout = 120);

#define LIMITS "[limits]\nmax_physical_bytes = 64M\nmax_mapped_bytes = 64M\n"

static struct manager manager;

/* A thread in mb_acquire(), or in mb_extend_wait() if there is a lease to extend. */
struct waiter {
    pthread_t thread;
    mb_client *client;
    mb_lease *lease, *extended;
    uint64_t bytes;
    mb_lease_options options;
    int result;
    char sentence[1024];
    atomic_bool has_ended;
};

static void *run_waiter(void *argument)
{
    struct waiter *waiter = argument;
    waiter->result = waiter->extended ? mb_extend_wait(waiter->extended, waiter->bytes, waiter->options.wait_ms, NULL)
                                      : mb_acquire(waiter->client, waiter->bytes, &waiter->options, &waiter->lease);
    (void)snprintf(waiter->sentence, sizeof waiter->sentence, "%s", waiter->result < 0 ? mb_last_error() : "");
    waiter->has_ended = true;
    return NULL;
}

static struct waiter waiting_for(mb_client *of, uint64_t bytes, uint32_t wait_ms)
{
    struct waiter waiter = {.client = of, .bytes = bytes, .options = MB_LEASE_OPTIONS_INIT};
    waiter.options.wait_ms = wait_ms;
    return waiter;
}

static void start(struct waiter *waiter)
{
    cr_assert(pthread_create(&waiter->thread, NULL, run_waiter, waiter) == 0);
}

static int end_waiter(struct waiter *waiter)
{
    (void)pthread_join(waiter->thread, NULL);
    return waiter->result;
}

static mb_lease *take(mb_client *of, uint64_t bytes, mb_location location)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease = NULL;
    options.location = location;
    cr_assert(mb_acquire(of, bytes, &options, &lease) == 0, "%s", mb_last_error());
    return lease;
}

static bool is_waiting(uint64_t count)
{
    struct status_reply status;
    return fixture_try_status(&fixture, &status) && status.waiting == count;
}

/* ---- a broker that goes and comes back ---- */

/* `client` holds all RAM but a page, `other` that. */
static mb_client *begin_full(mb_lease **ret_small)
{
    manager_start(&manager, &fixture, "membrokerd", NULL, LIMITS);
    client = fixture_connect(&fixture, 0);
    mb_client *other = fixture_connect(&fixture, 0);
    (void)take(client, 64 * MIB - 4096, MB_LOCATION_RAM);
    *ret_small = take(other, 4096, MB_LOCATION_RAM);
    return other;
}

static void end_full(mb_client *other)
{
    mb_disconnect(other);
    mb_disconnect(client);
    WAIT_UNTIL(used() == 0);
    manager_stop(&manager);
}

/* Ends the daemon; the next one starts at go_on(). */
static void break_off(void)
{
    (void)pthread_mutex_lock(&manager.lock);
    cr_assert(kill(fixture.daemon, SIGKILL) == 0);
}

static void go_on(void)
{
    unsigned before = manager.starts;
    (void)pthread_mutex_unlock(&manager.lock);
    WAIT_UNTIL(manager.starts > before && manager.is_ready);
}

Test(calls, a_wait_is_cancelled_while_there_is_no_broker)
{
    mb_lease *small;
    mb_client *other = begin_full(&small);
    struct waiter acquire = waiting_for(other, MIB, 100000), extend = waiting_for(other, MIB, 100000);
    extend.extended = small;
    start(&acquire);
    start(&extend);
    WAIT_UNTIL(is_waiting(2));
    break_off();
    mb_cancel_waits(other);
    cr_expect_eq(end_waiter(&acquire), -ECANCELED, "%s", acquire.sentence);
    go_on();
    cr_expect_eq(end_waiter(&extend), -ECANCELED, "an extend is answered by the next daemon: %s", extend.sentence);
    cr_expect(strstr(acquire.sentence, "cancelled") && strstr(extend.sentence, "cancelled"));
    cr_expect(is_waiting(0));
    cr_expect_eq(mb_lease_check(small), 0);
    end_full(other);
}

Test(calls, a_call_that_could_not_be_sent_yet_is_cancelled)
{
    mb_lease *small;
    mb_client *other = begin_full(&small);
    struct waiter waiter = waiting_for(other, MIB, 100000);
    break_off();
    sleep_ms(100); /* the library notices; if it does not, this is the case above */
    start(&waiter);
    WAIT_UNTIL((mb_cancel_waits(other), waiter.has_ended));
    cr_expect_eq(end_waiter(&waiter), -ECANCELED, "%s", waiter.sentence);
    go_on();
    end_full(other);
}

static uint64_t listed_remaining_ms(void)
{
    struct request list = {.kind = REQUEST_LIST, .id = 9};
    struct reply reply;
    cleanup(fd_closep) int monitor = fixture_socket(&fixture);
    list.list.what = LIST_QUEUE;
    cr_assert(fixture_hello(monitor, true, &reply, NULL) && fixture_exchange(monitor, &list, &reply, NULL));
    cr_assert(reply.kind == REPLY_LISTING && reply.listing.queue_count == 1);
    return reply.listing.queue[0].remaining_ms;
}

Test(calls, a_restart_does_not_extend_a_wait)
{
    enum { WAIT_MS = 60000, BEFORE_MS = 2000 };
    mb_lease *small;
    mb_client *other = begin_full(&small);
    struct waiter waiter = waiting_for(other, MIB, WAIT_MS);
    start(&waiter);
    WAIT_UNTIL(is_waiting(1));
    sleep_ms(BEFORE_MS);
    manager_restart(&manager, SIGKILL);
    WAIT_UNTIL(is_waiting(1));
    cr_expect_leq(listed_remaining_ms(), WAIT_MS - BEFORE_MS);
    mb_cancel_waits(other);
    cr_expect_eq(end_waiter(&waiter), -ECANCELED, "%s", waiter.sentence);
    end_full(other);
}

Test(calls, a_wait_across_a_restart_ends_with_the_refusal_and_explains_it)
{
    mb_lease *small;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *hasty, *other = begin_full(&small);
    options.socket = fixture.socket;
    options.timeout_ms = 10000;
    cr_assert(mb_release(small) == 0);
    WAIT_UNTIL(used() == 64 * MIB - 4096);
    cr_assert(mb_connect(&options, &hasty) == 0);
    (void)take(hasty, 4096, MB_LOCATION_RAM);
    struct waiter waiter = waiting_for(hasty, MIB, 2000);
    start(&waiter);
    WAIT_UNTIL(is_waiting(1));
    manager_restart(&manager, SIGKILL);
    cr_expect_eq(end_waiter(&waiter), -ENOMEM, "%s", waiter.sentence);
    cr_expect(strstr(waiter.sentence, "max_physical_bytes") && strstr(waiter.sentence, "had broken during the call"),
              "%s", waiter.sentence);
    mb_disconnect(hasty);
    end_full(other);
}

Test(calls, a_wait_in_a_session_without_leases_continues_after_a_restart)
{
    mb_lease *small;
    mb_client *other = begin_full(&small);
    cr_assert(mb_release(small) == 0);
    WAIT_UNTIL(used() == 64 * MIB - 4096);
    struct waiter waiter = waiting_for(other, 4096, 100000);
    (void)take(client, 4096, MB_LOCATION_RAM);
    start(&waiter);
    WAIT_UNTIL(is_waiting(1));
    manager_restart(&manager, SIGKILL);
    WAIT_UNTIL(is_waiting(1));
    mb_disconnect(client);
    cr_expect_eq(end_waiter(&waiter), 0, "%s", waiter.sentence);
    client = fixture_connect(&fixture, 0);
    end_full(other);
}

/* Every connection of this process, as a lost socket would. */
static void break_connections(void)
{
    for (int fd = 3; fd < 64; fd++) {
        int type = 0;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
}

/* A session without leases ends with its connection. */
Test(calls, a_wait_continues_in_a_new_session)
{
    begin(LIMITS);
    mb_client *other = fixture_connect(&fixture, 0);
    mb_lease *all = take(client, 64 * MIB, MB_LOCATION_RAM);
    uint64_t session = mb_client_session(other);
    struct waiter waiter = waiting_for(other, MIB, 100000);
    start(&waiter);
    WAIT_UNTIL(is_waiting(1));
    break_connections();
    WAIT_UNTIL(mb_client_session(other) > session && is_waiting(1));
    cr_assert(mb_release(all) == 0);
    cr_expect_eq(end_waiter(&waiter), 0, "%s", waiter.sentence);
    mb_disconnect(other);
    end();
}

/* ---- a client without a thread ---- */

static atomic_int revoked_in_time, lost, trims, callback_result;
static mb_lease *reserve;

static mb_client *connect_single(const char *name, void (*on_event)(const mb_event *, void *))
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *single = NULL;
    options.socket = fixture.socket;
    options.name = name;
    options.on_event = on_event;
    options.flags = on_event ? MB_CLIENT_NO_THREAD : 0;
    cr_assert(mb_connect(&options, &single) == 0, "%s", mb_last_error());
    return single;
}

static void on_wish(const mb_event *event, void *user_data)
{
    (void)user_data;
    lost += event->type == MB_EVENT_LEASE_LOST;
    trims += event->type == MB_EVENT_TRIM;
    if (event->type == MB_EVENT_REVOKING && event->lease == reserve) {
        revoked_in_time++;
        callback_result = mb_ping(event->client);
        (void)mb_release(reserve);
    }
}

Test(calls, without_a_thread_a_waiting_call_delivers_a_revocation)
{
    begin(LIMITS "[queue]\nrevoke_for_priority = yes\nrevoke_grace = 3s\n"
                 "[class urgent]\nclients = urgent-*\npriority = 10\n");
    mb_client *single = connect_single("batch", on_wish), *urgent = connect_single("urgent-1", NULL);
    reserve = take(single, 60 * MIB, MB_LOCATION_RAM);
    struct waiter low = waiting_for(single, 16 * MIB, 100000), high = waiting_for(urgent, 16 * MIB, 100000);
    start(&low);
    WAIT_UNTIL(is_waiting(1));
    start(&high);
    cr_expect_eq(end_waiter(&high), 0, "%s", high.sentence);
    cr_expect_eq(end_waiter(&low), 0, "%s", low.sentence);
    cr_expect(revoked_in_time == 1 && lost == 0, "it was given back before it was taken");
    cr_expect_eq(callback_result, -EDEADLK, "a callback must not wait");
    mb_disconnect(single);
    mb_disconnect(urgent);
    end();
}

Test(calls, without_a_thread_a_waiting_call_answers_a_trim_event)
{
    begin(LIMITS "max_bytes = 1G\n[queue]\ntrim_time = 100s\n");
    mb_client *single = connect_single("batch", on_wish);
    mb_lease *files = take(client, 64 * MIB, MB_LOCATION_MMAP);
    mb_buffer *buffer;
    cr_assert(mb_buffer_create(single, 60 * MIB, NULL, &buffer) == 0 && mb_buffer_unref(buffer) == 0);
    struct waiter waiter = waiting_for(single, 16 * MIB, 100000);
    waiter.options.location = MB_LOCATION_MMAP;
    start(&waiter);
    WAIT_UNTIL(is_waiting(1));
    mb_lease *lease = take(client, 60 * MIB, MB_LOCATION_RAM);
    cr_expect(!waiter.has_ended);
    (void)mb_release(files);
    cr_expect_eq(end_waiter(&waiter), 0, "%s", waiter.sentence);
    (void)mb_release(lease);
    mb_disconnect(single);
    end();
}

Test(calls, without_a_thread_calls_continue_in_a_new_session)
{
    begin(LIMITS);
    mb_client *single = connect_single("lost", on_wish);
    uint64_t session = mb_client_session(single);
    break_connections();
    cr_expect_eq(mb_ping(single), 0, "%s", mb_last_error());
    cr_expect_neq(mb_client_session(single), session);
    mb_disconnect(single);
    end();
}

Test(calls, without_a_thread_an_idle_client_sleeps)
{
    begin(LIMITS);
    mb_client *single = connect_single("idle", on_wish);
    mb_lease *lease = take(single, MIB, MB_LOCATION_RAM);
    struct pollfd ready = {.fd = mb_client_fd(single), .events = POLLIN};
    cr_assert(mb_client_dispatch(single) == 0);
    cr_expect_eq(poll(&ready, 1, 0), 0, "nothing is left to dispatch");
    cr_expect_gt(mb_client_timeout(single), 1000, "nor is anything due: the lease's TTL is 30 s");
    (void)mb_release(lease);
    mb_disconnect(single);
    end();
}
