/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers that are freed after their lease was lost: no thread gets their memory again. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/integration/buffers.h"

TestSuite(lost_buffers, .timeout = 60);

enum { MANY = 2000 };

static const size_t sizes[] = {100, 5000, 40000, 200000, 300000, 3000000}; /* small, medium, large */
enum { SIZES = sizeof sizes / sizeof *sizes };

static atomic_uint losses;
static mb_buffer *lost[MANY], *made[MANY];

static void on_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    losses += event->type == MB_EVENT_LEASE_LOST;
}

static void begin_told(void)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.flags = MB_CLIENT_GUARD;
    options.on_event = on_event;
    cr_assert(mb_connect(&options, &client) == 0, "%s", mb_last_error());
}

/* Revokes every lease of at least so many bytes, and waits until the client has noted that. */
static void lose(uint64_t bytes)
{
    struct reply reply;
    struct request list = {.kind = REQUEST_LIST, .list = {.what = LIST_LEASES}};
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL) && fixture_exchange(fd, &list, &reply, NULL));
    (void)close(fd);
    unsigned before = losses, expected = before;
    for (size_t i = 0; i < reply.listing.lease_count; i++) {
        if (reply.listing.leases[i].bytes >= bytes) {
            cr_assert(fixture_revoke(&fixture, reply.listing.leases[i].lease) == ERROR_UNSPECIFIED);
            expected++;
        }
    }
    cr_assert(expected > before);
    WAIT_UNTIL(losses == expected);
}

static void make_all(mb_buffer **buffers, unsigned count, size_t bytes)
{
    for (unsigned i = 0; i < count; i++) {
        buffers[i] = make(bytes);
    }
}

static void free_all(mb_buffer **buffers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        buffers[i] = mb_buffer_unref(buffers[i]);
    }
}

/* New buffers are valid, whatever was freed before. */
static void expect_valid(unsigned count, size_t bytes)
{
    make_all(made, count, bytes);
    for (unsigned i = 0; i < count; i++) {
        cr_expect(mb_buffer_check(made[i]) == 0, "buffer %u of %zu bytes: %s", i, bytes, mb_last_error());
        memset(mb_buffer_data(made[i]), 1, bytes);
    }
    free_all(made, count);
}

static void end_all(void)
{
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(lost_buffers, one_that_is_freed_after_the_loss_is_not_lent_again)
{
    begin_told();
    for (size_t i = 0; i < SIZES; i++) {
        make_all(lost, 3, sizes[i]);
        lose(0);
        (void)mb_buffer_unref(make(sizes[i])); /* the thread's cache knows of the loss from here on */
        free_all(lost, 3);
        expect_valid(6, sizes[i]);
    }
    end_all();
}

Test(lost_buffers, one_that_is_freed_before_the_thread_has_seen_the_loss_neither)
{
    begin_told();
    for (size_t i = 0; i < SIZES; i++) {
        make_all(lost, 3, sizes[i]);
        lose(0);
        free_all(lost, 3);
        expect_valid(6, sizes[i]);
    }
    end_all();
}

static void *free_lost(void *unused)
{
    free_all(lost, MANY);
    return unused;
}

/* The other thread has no cache yet, and hands what it has to this one. */
Test(lost_buffers, another_thread_frees_them)
{
    pthread_t thread;
    begin_told();
    for (size_t i = 0; i < 3; i++) {
        make_all(lost, MANY, sizes[i]);
        lose(0);
        (void)mb_buffer_unref(make(sizes[i]));
        cr_assert(pthread_create(&thread, NULL, free_lost, NULL) == 0 && pthread_join(thread, NULL) == 0);
        expect_valid(MANY, sizes[i]);
    }
    end_all();
}

static pthread_barrier_t turn;

/* Its cache is older than the loss. */
static void *free_own_and_lost(void *unused)
{
    (void)mb_buffer_unref(make(100));
    (void)pthread_barrier_wait(&turn);
    (void)pthread_barrier_wait(&turn);
    return free_lost(unused);
}

Test(lost_buffers, another_thread_that_had_a_cache_frees_them)
{
    pthread_t thread;
    begin_told();
    make_all(lost, MANY, 100);
    cr_assert(pthread_barrier_init(&turn, NULL, 2) == 0);
    cr_assert(pthread_create(&thread, NULL, free_own_and_lost, NULL) == 0);
    (void)pthread_barrier_wait(&turn);
    lose(0);
    (void)mb_buffer_unref(make(100));
    (void)pthread_barrier_wait(&turn);
    cr_assert(pthread_join(thread, NULL) == 0);
    expect_valid(MANY, 100);
    end_all();
}

/* The ends that no cache takes as they are. */
Test(lost_buffers, one_with_a_name_a_weak_reference_or_a_scope)
{
    begin_told();
    for (size_t i = 0; i < SIZES; i++) {
        mb_buffer *named = make_with(sizes[i], "named", MB_LOCATION_RAM, 0), *weakened = make(sizes[i]);
        mb_weak *weak;
        cr_assert(mb_weak_create(weakened, &weak) == 0);
        MB_BUFFER_SCOPE
        {
            (void)make(sizes[i]);
            lose(0);
        }
        (void)mb_buffer_unref(make(sizes[i]));
        (void)mb_buffer_unref(named);
        (void)mb_buffer_unref(weakened);
        (void)mb_weak_drop(weak);
        expect_valid(6, sizes[i]);
    }
    end_all();
}

/* The slabs would give the first place first. */
Test(lost_buffers, one_that_is_still_valid_is_cached_as_before)
{
    begin_told();
    mb_buffer *others[] = {make(100), make(100), make(100), make(16 * MIB)};
    lose(2 * MIB);
    (void)mb_buffer_unref(make(100));
    const void *places[3];
    for (int i = 0; i < 3; i++) {
        cr_assert(mb_buffer_check(others[i]) == 0);
        places[i] = mb_buffer_data(others[i]);
        (void)mb_buffer_unref(others[i]);
    }
    make_all(made, 3, 100);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(mb_buffer_data(made[i]), places[2 - i]);
    }
    free_all(made, 3);
    (void)mb_buffer_unref(others[3]);
    end_all();
}
