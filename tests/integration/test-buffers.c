/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers: references, scopes, limits, and what of them the broker sees. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/buffers.h"

TestSuite(buffers, .timeout = 60);

/* ---- references ---- */

Test(buffers, dropping_the_last_reference_frees_and_free_memory_is_released)
{
    begin("");
    mb_buffer *buffer = make(20 * MIB);
    memset(mb_buffer_data(buffer), 1, 20 * MIB);
    cr_expect_eq(mb_buffer_size(buffer), 20 * MIB);
    cr_expect_eq(used(), 20 * MIB);
    cr_expect_eq(mb_buffer_ref(buffer), buffer);
    cr_expect_eq(mb_buffer_references(buffer), 2);
    cr_expect_null(mb_buffer_unref(buffer));
    cr_expect_eq(*(char *)mb_buffer_data(buffer), 1);
    (void)mb_buffer_unref(buffer);
    cr_expect_eq(used(), 20 * MIB, "kept for a while, for the next");
    WAIT_UNTIL(used() == 0);
    buffer = make(20 * MIB);
    (void)mb_buffer_unref(buffer);
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    cr_expect_null(mb_buffer_unref(NULL));
    end();
}

Test(buffers, small_buffers_share_a_lease)
{
    begin("");
    mb_buffer *buffers[10000];
    for (size_t i = 0; i < 10000; i++) {
        buffers[i] = make(i % 300 + 1);
        memset(mb_buffer_data(buffers[i]), (int)i, mb_buffer_size(buffers[i]));
        size_t bytes = i % 300 + 1;
        cr_expect_eq((uintptr_t)mb_buffer_data(buffers[i]) % (bytes == 64 || bytes > 112 ? 64 : 16), 0);
    }
    cr_expect_leq(fixture_status(&fixture).leases, 4);
    cr_expect_leq(used(), 8 * MIB);
    for (size_t i = 0; i < 10000; i++) {
        const char *data = mb_buffer_data(buffers[i]);
        cr_assert(data[0] == (char)i && data[mb_buffer_size(buffers[i]) - 1] == (char)i);
        (void)mb_buffer_unref(buffers[i]);
    }
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(buffers, buffers_can_have_any_location_and_be_zeroed)
{
    begin("");
    mb_buffer *mapped = make_with(1000, NULL, MB_LOCATION_MMAP, 0), *either = make_with(MIB, NULL, MB_LOCATION_AUTO, 0);
    cr_expect_eq(mb_buffer_location(mapped), MB_LOCATION_MMAP);
    cr_expect_eq(mb_buffer_location(either), MB_LOCATION_RAM);
    cr_expect_eq(fixture_status(&fixture).used_mapped_bytes, MIB);
    memset(mb_buffer_data(mapped), 9, 1000);
    (void)mb_buffer_unref(mapped);
    for (int i = 0; i < 2; i++) {
        mapped = make_with(1000, NULL, MB_LOCATION_MMAP, MB_ZEROED);
        mb_buffer *large = make_with(3 * MIB, NULL, MB_LOCATION_RAM, MB_ZEROED);
        char *data = mb_buffer_data(large);
        cr_expect(*(char *)mb_buffer_data(mapped) == 0);
        cr_expect(data[0] == 0 && data[MIB] == 0 && data[3 * MIB - 1] == 0);
        memset(data, 9, 3 * MIB);
        memset(mb_buffer_data(mapped), 9, 1000);
        (void)mb_buffer_unref(large);
        (void)mb_buffer_unref(mapped);
    }
    (void)mb_buffer_unref(either);
    end();
}

Test(buffers, invalid_arguments_are_refused)
{
    begin("");
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    mb_buffer *buffer;
    cr_expect_eq(mb_buffer_create(client, 0, NULL, &buffer), -EINVAL);
    cr_expect_eq(mb_buffer_create(client, SIZE_MAX, NULL, &buffer), -ENOMEM);
    options.flags = 64;
    cr_expect_eq(mb_buffer_create(client, 1, &options, &buffer), -EINVAL);
    options.flags = 0;
    options.location = (mb_location)9;
    cr_expect_eq(mb_buffer_create(client, 1, &options, &buffer), -EINVAL);
    options.location = MB_LOCATION_RAM;
    options.name = "\n";
    cr_expect_eq(mb_buffer_create(client, 1, &options, &buffer), -EINVAL);
    options.size = 4;
    cr_expect_eq(mb_buffer_create(client, 1, &options, &buffer), -EINVAL);
    cr_expect_eq(used(), 0);
    end();
}

/* ---- scopes ---- */

static bool nothing_is_used(void)
{
    mb_trim(client);
    return used() == 0;
}

static mb_buffer *kept_from_a_scope(void)
{
    MB_BUFFER_SCOPE
    {
        mb_buffer *kept = make(500), *freed = make(3 * MIB);
        (void)freed;
        return mb_buffer_keep(kept);
    }
    return NULL;
}

Test(buffers, a_scope_frees_its_buffers_unless_they_are_kept)
{
    begin("");
    MB_BUFFER_SCOPE
    {
        mb_buffer *mine = make(2 * MIB);
        (void)make(100);
        MB_BUFFER_SCOPE
        {
            (void)make(200);
            mb_buffer *gone = make(300);
            (void)mb_buffer_unref(gone); /* may be given up early */
        }
        cr_expect_eq(mb_buffer_references(mine), 1, "an inner scope frees its own only");
        cr_expect_eq(used() >= 2 * MIB, 1);
    }
    WAIT_UNTIL(nothing_is_used());
    mb_buffer *kept = kept_from_a_scope();
    cr_expect(kept && mb_buffer_references(kept) == 1);
    cr_expect(!nothing_is_used());
    mb_buffer *outside = make(10);
    cr_expect_eq(mb_buffer_keep(outside), outside, "of no scope: nothing happens");
    mb_buffer *counted = NULL;
    MB_BUFFER_SCOPE
    {
        counted = mb_buffer_ref(make(100));
    }
    cr_expect_eq(mb_buffer_references(counted), 1, "a reference of one's own outlives the scope");
    (void)mb_buffer_unref(counted);
    (void)mb_buffer_unref(outside);
    (void)mb_buffer_unref(kept);
    WAIT_UNTIL(nothing_is_used());
    end();
}

Test(buffers, an_automatic_variable_drops_its_reference)
{
    begin("");
    for (int i = 0; i < 3; i++) {
        MB_AUTO_BUFFER mb_buffer *buffer = make(5 * MIB);
        MB_AUTO_BUFFER mb_buffer *nothing = NULL;
        cr_expect_eq(mb_buffer_references(buffer), 1);
        (void)nothing;
        if (i == 1) {
            continue;
        }
    }
    WAIT_UNTIL(nothing_is_used());
    end();
}

/* ---- limits ---- */

static unsigned hook_calls, hook_frees_at;
static mb_buffer *victim;
static mb_reclaim last_reclaim;

static void on_reclaim(const mb_reclaim *reclaim, void *user_data)
{
    (void)user_data;
    last_reclaim = *reclaim;
    hook_calls++;
    if (hook_calls == hook_frees_at) {
        victim = mb_buffer_unref(victim);
    }
}

static void begin_limited(uint32_t max_retries)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.max_bytes = 16 * MIB;
    options.on_reclaim = on_reclaim;
    options.max_retries = max_retries;
    options.retry_wait_ms = 1;
    cr_assert(mb_connect(&options, &client) == 0);
    hook_calls = 0;
    victim = make_with(10 * MIB, "victim", MB_LOCATION_RAM, 0);
}

Test(buffers, the_reclaim_hook_runs_until_it_fits)
{
    begin_limited(10);
    hook_frees_at = 3;
    mb_buffer *buffer = make(12 * MIB);
    cr_expect_eq(hook_calls, 3);
    cr_expect(last_reclaim.client == client && last_reclaim.wanted_bytes == 12 * MIB && last_reclaim.attempt == 3 &&
              last_reclaim.location == MB_LOCATION_RAM);
    (void)mb_buffer_unref(buffer);
    end();
}

Test(buffers, after_the_last_retry_the_refusal_names_the_holders)
{
    begin_limited(10);
    mb_buffer *buffer;
    mb_workspace_config config = default_config();
    hook_frees_at = 0;
    config.initial_size = 3 * MIB;
    config.allocation_policy = MB_ALLOCATION_STRICT;
    mb_workspace *workspace = open_named(client, "scratch", config);
    mb_buffer *small = make_with(100, "little", MB_LOCATION_RAM, 0);
    cr_expect_eq(mb_buffer_create(client, 12 * MIB, NULL, &buffer), -ENOMEM);
    cr_expect_eq(hook_calls, 10);
    EXPECT_SENTENCE("12 MiB");
    EXPECT_SENTENCE("max_physical_bytes is 16 MiB, of which 14 MiB are used");
    EXPECT_SENTENCE("In this process most is held by buffer \"victim\" 10 MiB, workspace \"scratch\" 3 MiB, buffer "
                    "\"little\" 100 bytes.");
    (void)mb_buffer_unref(small);
    (void)mb_buffer_unref(victim);
    mb_workspace_close(workspace);
    buffer = make(12 * MIB);
    (void)mb_buffer_unref(buffer);
    end();
}

Test(buffers, the_limit_itself_is_allowed_and_kept_memory_is_released_before_a_refusal)
{
    begin_limited(0);
    (void)mb_buffer_unref(victim);
    mb_buffer *buffer = make(16 * MIB);
    cr_expect_eq(used(), 16 * MIB, "the 10 MiB that were free, but kept, were given back first");
    cr_expect_eq(hook_calls, 0);
    (void)mb_buffer_unref(buffer);
    end();
}

Test(buffers, the_brokers_own_limit_is_named_too)
{
    begin("[limits]\nmax_physical_bytes = 8M\n");
    mb_buffer *buffer;
    cr_expect_eq(mb_buffer_create(client, 9 * MIB, NULL, &buffer), -ENOMEM);
    EXPECT_SENTENCE("the host's max_physical_bytes is 8 MiB");
    end();
}

/* ---- threads, forks, losses ---- */

enum { HANDED = 2000 };
static mb_buffer *handed[HANDED];

static void *free_all(void *argument)
{
    (void)argument;
    for (int i = 0; i < HANDED; i++) {
        handed[i] = mb_buffer_unref(handed[i]);
    }
    for (int i = 0; i < HANDED; i++) {
        handed[i] = make((size_t)i * 13 % 5000 + 1);
    }
    return NULL;
}

Test(buffers, any_thread_creates_and_frees_buffers)
{
    begin("");
    for (int round = 0; round < 10; round++) {
        pthread_t thread;
        for (int i = 0; i < HANDED; i++) {
            handed[i] = make((size_t)i * 7 % 5000 + 1);
            memset(mb_buffer_data(handed[i]), i, mb_buffer_size(handed[i]));
        }
        cr_assert(pthread_create(&thread, NULL, free_all, NULL) == 0);
        (void)pthread_join(thread, NULL);
        for (int i = 0; i < HANDED; i++) {
            handed[i] = mb_buffer_unref(handed[i]);
        }
    }
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(buffers, buffers_of_two_clients_in_one_thread_are_separate)
{
    begin("");
    for (int round = 0; round < 3; round++) {
        mb_client *other = fixture_connect(&fixture, 0);
        mb_buffer *mine = make(100), *theirs;
        cr_assert(mb_buffer_create(other, 100, NULL, &theirs) == 0);
        (void)mb_buffer_unref(theirs);
        (void)mb_buffer_unref(mine);
        mine = make(100);
        cr_assert(mb_buffer_create(other, 100, NULL, &theirs) == 0);
        memset(mb_buffer_data(theirs), 1, 100);
        mb_disconnect(other);
        memset(mb_buffer_data(mine), 2, 100);
        (void)mb_buffer_unref(mine);
    }
    mb_client *first = client;
    client = fixture_connect(&fixture, 0);
    mb_disconnect(first); /* whose cache this thread has */
    mb_buffer *after = make(100);
    memset(mb_buffer_data(after), 3, 100);
    (void)mb_buffer_unref(after);
    end();
}

static int in_child(const struct fixture *unused)
{
    mb_buffer *buffer;
    (void)unused;
    int result = mb_buffer_create(client, 100, NULL, &buffer);
    (void)mb_buffer_unref(handed[0]);
    (void)mb_buffer_unref(handed[1]);
    return result == -EPERM ? 0 : 1;
}

Test(buffers, a_forked_child_neither_gets_nor_frees_its_parents_buffers)
{
    begin("");
    int status;
    handed[0] = make(100);
    handed[1] = make(MIB);
    (void)mb_buffer_unref(make(100)); /* something in the cache */
    pid_t child = fixture_fork(in_child, &fixture);
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    memset(mb_buffer_data(handed[0]), 1, 100);
    memset(mb_buffer_data(handed[1]), 1, MIB);
    (void)mb_buffer_unref(handed[0]);
    (void)mb_buffer_unref(handed[1]);
    end();
}

static uint64_t only_lease(void)
{
    struct reply reply;
    struct request list = {.kind = REQUEST_LIST, .list = {.what = LIST_LEASES}};
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL) && fixture_exchange(fd, &list, &reply, NULL));
    cr_assert_eq(reply.listing.lease_count, 1);
    (void)close(fd);
    return reply.listing.leases[0].lease;
}

Test(buffers, a_lost_lease_is_noticed_and_no_buffer_is_created_in_it)
{
    begin("");
    mb_buffer *lost = make(100), *cached = make(100);
    (void)mb_buffer_unref(cached);
    cr_assert(fixture_revoke(&fixture, only_lease()) == ERROR_UNSPECIFIED);
    WAIT_UNTIL(mb_buffer_check(lost) == -ESTALE);
    EXPECT_SENTENCE("revoked");
    cr_expect_eq(mb_ping(client), 0, "what the broker told before its answer has been read");
    for (int i = 0; i < 100; i++) {
        mb_buffer *buffer = make(100);
        memset(mb_buffer_data(buffer), 1, 100);
        handed[i] = buffer;
    }
    for (int i = 0; i < 100; i++) {
        (void)mb_buffer_unref(handed[i]);
    }
    (void)mb_buffer_unref(lost);
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}

/* ---- random use ---- */

struct made {
    mb_buffer *buffer;
    size_t bytes;
    unsigned char value;
};

static size_t random_bytes(unsigned *seed)
{
    static const size_t below[] = {100, 5000, 40000, 300000, 3000000};
    return (size_t)rand_r(seed) % below[(size_t)rand_r(seed) % 5] + 1;
}

static void check_made(const struct made *made)
{
    const unsigned char *data = mb_buffer_data(made->buffer);
    cr_assert_eq(mb_buffer_size(made->buffer), made->bytes);
    for (size_t i = 0; i < made->bytes; i += 1 + made->bytes / 50) {
        cr_assert_eq(data[i], made->value, "a buffer of %zu bytes was written over", made->bytes);
    }
    cr_assert_eq(data[made->bytes - 1], made->value);
}

Test(buffers, random_buffers_never_overlap)
{
    struct made made[300] = {0};
    unsigned seed = 1;
    begin("");
    for (int step = 0; step < 20000; step++) {
        struct made *slot = &made[(size_t)rand_r(&seed) % 300];
        if (slot->buffer) {
            check_made(slot);
            slot->buffer = mb_buffer_unref(slot->buffer);
        } else {
            slot->bytes = random_bytes(&seed);
            slot->value = (unsigned char)step;
            mb_location location = rand_r(&seed) % 4 ? MB_LOCATION_RAM : MB_LOCATION_MMAP;
            slot->buffer = make_with(slot->bytes, NULL, location, rand_r(&seed) % 5 ? 0 : MB_ZEROED);
            memset(mb_buffer_data(slot->buffer), slot->value, slot->bytes);
        }
        if (step % 4000 == 0) {
            mb_trim(client);
        }
    }
    for (size_t i = 0; i < 300; i++) {
        (void)mb_buffer_unref(made[i].buffer);
    }
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}

/* ---- a lease that ends during a call ---- */

static uint64_t lease_to_end;

static void end_lease(const mb_reclaim *unused, void *big)
{
    (void)unused;
    if (lease_to_end) {
        cr_assert(fixture_revoke(&fixture, lease_to_end) == ERROR_UNSPECIFIED);
        lease_to_end = 0;
        mb_buffer_unrefp(big);
        mb_trim(client);
    }
}

Test(buffers, a_buffer_whose_lease_ends_while_it_is_resized_is_stale)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_buffer *big = NULL;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.max_bytes = 64 * MIB;
    options.flags = MB_CLIENT_GUARD;
    options.on_reclaim = end_lease;
    options.user_data = &big;
    cr_assert(mb_connect(&options, &client) == 0);
    mb_buffer *buffer = make(1000), *before = buffer;
    memset(mb_buffer_data(buffer), 7, 1000);
    lease_to_end = only_lease();
    big = make(60 * MIB);
    cr_expect_eq(mb_buffer_resize(&buffer, 16 * MIB), -ESTALE);
    EXPECT_SENTENCE("revoked");
    cr_expect(buffer == before && mb_buffer_size(buffer) == 1000);
    (void)mb_buffer_unref(buffer);
    end();
}
