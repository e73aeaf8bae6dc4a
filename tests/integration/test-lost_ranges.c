/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses in events: which memory is lost, whoever mapped it. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/integration/buffers.h"

TestSuite(lost_ranges, .timeout = 60);

enum { RANGES_MAX = 8, EVENTS_MAX = 64 };

struct told {
    mb_event_type type;
    uint64_t lease;
    size_t count;
    mb_range ranges[RANGES_MAX];
    bool is_found; /* mb_buffer_from_address() knows the first address */
};

/* What the callback saw; the background thread writes, and then counts. */
static struct told told[EVENTS_MAX];
static atomic_uint told_count;

static void on_event(const mb_event *event, void *user_data)
{
    unsigned index = told_count;
    (void)user_data;
    if (index == EVENTS_MAX || !event->lease) {
        return;
    }
    told[index] = (struct told){.type = event->type, .lease = mb_lease_id(event->lease), .count = event->range_count};
    for (size_t i = 0; i < event->range_count && i < RANGES_MAX; i++) {
        told[index].ranges[i] = event->ranges[i];
    }
    if (event->range_count > 0) {
        told[index].is_found = mb_buffer_from_address(event->client, event->ranges[0].address) != NULL;
    }
    told_count = index + 1;
}

static mb_client *connect_told(unsigned flags)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *told_client = NULL;
    options.socket = fixture.socket;
    options.name = "test";
    options.flags = flags;
    options.on_event = on_event;
    cr_assert(mb_connect(&options, &told_client) == 0, "%s", mb_last_error());
    return told_client;
}

static void begin_told(const char *settings)
{
    fixture_start(&fixture, settings);
    client = connect_told(0);
}

static mb_lease *acquire(uint64_t bytes)
{
    mb_lease *lease = NULL;
    cr_assert(mb_acquire(client, bytes, NULL, &lease) == 0, "%s", mb_last_error());
    return lease;
}

static char *map(mb_lease *lease, unsigned extent)
{
    void *address = NULL;
    cr_assert(mb_map(lease, extent, &address, NULL) == 0, "%s", mb_last_error());
    return address;
}

static const struct told *find_loss(uint64_t lease)
{
    for (unsigned i = 0; i < told_count; i++) {
        if (told[i].type == MB_EVENT_LEASE_LOST && told[i].lease == lease) {
            return &told[i];
        }
    }
    return NULL;
}

static const struct told *lose(uint64_t lease)
{
    cr_assert(fixture_revoke(&fixture, lease) == 0);
    WAIT_UNTIL(find_loss(lease));
    return find_loss(lease);
}

static bool is_range(const mb_range *range, const void *address, uint64_t bytes)
{
    return range->address == address && range->bytes == bytes;
}

Test(lost_ranges, a_mapped_lease_has_one_and_an_unmapped_lease_none)
{
    begin_told("");
    mb_lease *mapped = acquire(MIB), *unmapped = acquire(MIB);
    char *address = map(mapped, 0);
    const struct told *loss = lose(mb_lease_id(mapped));
    cr_expect(loss->count == 1 && is_range(&loss->ranges[0], address, MIB) && !loss->is_found);
    cr_expect_eq(lose(mb_lease_id(unmapped))->count, 0);
    end();
}

Test(lost_ranges, a_grown_lease_has_one_for_each_mapped_extent)
{
    unsigned second, third;
    begin_told("");
    mb_lease *lease = acquire(MIB);
    cr_assert(mb_extend(lease, 2 * MIB, &second) == 0 && mb_extend(lease, 3 * MIB, &third) == 0);
    char *last = map(lease, third), *first = map(lease, 0);
    const struct told *loss = lose(mb_lease_id(lease));
    cr_expect_eq(loss->count, 2);
    cr_expect(is_range(&loss->ranges[0], first, MIB) && is_range(&loss->ranges[1], last, 3 * MIB));
    end();
}

Test(lost_ranges, a_buffers_chunk_has_the_buffers_address)
{
    begin_told("");
    mb_buffer *small = make(100), *large = make(8 * MIB);
    const mb_buffer *both[2] = {small, large};
    mb_client *of = client;
    for (int i = 0; i < 2; i++) {
        unsigned before = told_count;
        const char *data = mb_buffer_data(both[i]);
        for (uint64_t id = 1; id < 10 && mb_buffer_check(both[i]) == 0; id++) {
            (void)fixture_revoke(&fixture, id);
            sleep_ms(5);
        }
        WAIT_UNTIL(told_count > before);
        const struct told *loss = &told[told_count - 1];
        cr_assert(loss->type == MB_EVENT_LEASE_LOST && loss->count == 1);
        const char *start = loss->ranges[0].address;
        cr_expect(data >= start && data + mb_buffer_size(both[i]) <= start + loss->ranges[0].bytes);
        cr_expect(mb_buffer_from_address(of, data) == both[i]);
    }
    (void)mb_buffer_unref(small);
    (void)mb_buffer_unref(large);
    end();
}

Test(lost_ranges, a_workspaces_arena_and_its_spills)
{
    begin_told("");
    mb_workspace_config config = default_config();
    config.initial_size = MIB;
    mb_workspace *workspace = open_named(client, "lost", config);
    ENTER(workspace);
    char *inside = ALLOC(workspace, 1000);
    char *spilled = ALLOC(workspace, 2 * MIB);
    uint64_t arena = mb_lease_id(mb_workspace_lease(workspace));
    uint64_t bytes = mb_lease_bytes(mb_workspace_lease(workspace));
    const struct told *loss = lose(arena);
    cr_expect(loss->count == 1 && is_range(&loss->ranges[0], inside, bytes));
    loss = lose(arena + 1);
    cr_expect(loss->count == 1 && is_range(&loss->ranges[0], spilled, 2 * MIB));
    LEAVE(workspace);
    mb_workspace_close(workspace);
    end();
}

Test(lost_ranges, a_lease_that_the_next_broker_does_not_know)
{
    begin_told("");
    mb_lease *lease = acquire(MIB);
    char *address = map(lease, 0);
    uint64_t id = mb_lease_id(lease);
    cr_assert(kill(fixture.daemon, SIGKILL) == 0 && waitpid(fixture.daemon, NULL, 0) == fixture.daemon);
    fixture_launch(&fixture);
    WAIT_UNTIL(find_loss(id));
    cr_expect(find_loss(id)->count == 1 && is_range(&find_loss(id)->ranges[0], address, MIB));
    end();
}

/* The same for warnings: a program may save what is there. */
Test(lost_ranges, a_warning_has_them_too)
{
    begin_told("");
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    mb_disconnect(client);
    client = connect_told(MB_CLIENT_NO_RENEW);
    options.ttl_ms = 6000; /* from the warning to the loss it is a quarter */
    cr_assert(mb_acquire(client, MIB, &options, &lease) == 0, "%s", mb_last_error());
    char *address = map(lease, 0);
    WAIT_UNTIL(told_count > 0);
    cr_expect(told[0].type == MB_EVENT_EXPIRING && told[0].lease == mb_lease_id(lease));
    cr_expect(told[0].count == 1 && is_range(&told[0].ranges[0], address, MIB));
    end();
}

/* ---- a loss while the program releases ---- */

static void *revoke_many(void *argument)
{
    const atomic_bool *done = argument;
    for (uint64_t id = 1; !*done; id++) {
        while (!*done && fixture_revoke(&fixture, id) != 0) {
            sleep_ms(1);
        }
    }
    return NULL;
}

/* The ranges are of a lease that was mapped when the event was noticed: never half of one. */
Test(lost_ranges, a_loss_during_the_release)
{
    pthread_t thread;
    atomic_bool done = false;
    begin_told("");
    cr_assert(pthread_create(&thread, NULL, revoke_many, &done) == 0);
    for (int i = 0; i < 1000; i++) {
        mb_lease *lease = acquire(64 << 10);
        unsigned second;
        void *address;
        if (mb_map(lease, 0, &address, NULL) == 0 && mb_extend(lease, 64 << 10, &second) == 0) {
            (void)mb_map(lease, second, &address, NULL);
        }
        (void)mb_release(lease);
    }
    done = true;
    (void)pthread_join(thread, NULL);
    for (unsigned i = 0; i < told_count; i++) {
        for (size_t range = 0; range < told[i].count; range++) {
            cr_expect(told[i].ranges[range].address && told[i].ranges[range].bytes == 64 << 10);
        }
    }
    end();
}
