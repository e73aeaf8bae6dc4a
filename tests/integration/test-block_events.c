/* SPDX-License-Identifier: Apache-2.0 */
/* What the history tells of blocks. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/integration/blocks.h"
#include "tests/integration/events.h"

TestSuite(block_events, .timeout = 60);

static void expect_block(const struct event_entry *event, const char *name, enum end_reason reason)
{
    cr_expect_str_eq(event->name, name);
    cr_expect(event->reason == reason && event->bytes == BLOCK_BYTES && event->location == LOCATION_RAM);
    cr_expect(event->has_uid && event->uid == getuid() && event->pid == getpid());
    cr_expect(event->session == mb_client_session(client) && event->client[0]);
    cr_expect_str_eq(event->class, "default");
}

Test(block_events, tell_who_published_what_and_who_ended_it)
{
    size_t at = 0;
    begin("");
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.replace = 1;
    mb_block *first = publish(client, "weights", 1);
    mb_block *second = publish_with(client, "weights", &options, 2);
    cr_assert_eq(mb_unpublish(client, "weights"), 0);
    mb_block *third = publish(client, "others", 3);
    cr_expect_eq(mb_block_free(third), 0);
    WAIT_UNTIL((read_all(), count_kind(EVENT_KIND_BLOCK_ENDED) == 3));
    const struct event_entry *event = next(EVENT_KIND_PUBLISHED, &at);
    expect_block(event, "weights", END_NONE);
    cr_expect_str_eq(event->text, "with lifetime session");
    event = next(EVENT_KIND_BLOCK_ENDED, &at);
    expect_block(event, "weights", END_REPLACED);
    cr_expect(event->has_by && event->by_uid == getuid() && event->by_pid == getpid());
    cr_expect_str_eq(event->text, "another block took its name");
    event = next(EVENT_KIND_BLOCK_ENDED, &at);
    expect_block(event, "weights", END_UNPUBLISHED);
    cr_expect(event->has_by && event->by_pid == getpid());
    event = next(EVENT_KIND_BLOCK_ENDED, &at);
    expect_block(event, "others", END_RELEASED);
    cr_expect(!event->has_by);
    (void)mb_block_free(first);
    (void)mb_block_free(second);
    end();
}

/* A block outlives its publisher's session: nobody has it when it ends. */
Test(block_events, tell_that_a_time_was_over_and_that_a_cache_was_evicted)
{
    size_t at = 0;
    begin("[pool]\npool_bytes = 0\n[limits]\nmax_physical_bytes = 2M\n");
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.lifetime = MB_LIFETIME_KEEP;
    options.keep_ms = 200;
    (void)mb_block_free(publish_with(client, "kept", &options, 1));
    WAIT_UNTIL((read_all(), count_kind(EVENT_KIND_BLOCK_ENDED) == 1));
    options.lifetime = MB_LIFETIME_CACHE;
    options.keep_ms = 0;
    (void)mb_block_free(publish_with(client, "cached", &options, 2));
    WAIT_UNTIL(used() == BLOCK_BYTES);
    mb_lease *lease;
    mb_lease_options waits = MB_LEASE_OPTIONS_INIT;
    waits.wait_ms = 20000;
    cr_assert_eq(mb_acquire(client, (uint64_t)2 * BLOCK_BYTES, &waits, &lease), 0, "%s", mb_last_error());
    read_all();
    const struct event_entry *event = next(EVENT_KIND_PUBLISHED, &at);
    cr_expect_str_eq(event->text, "with lifetime keep");
    event = next(EVENT_KIND_BLOCK_ENDED, &at);
    cr_expect_str_eq(event->name, "kept");
    cr_expect(event->reason == END_EXPIRED && event->session == 0 && event->pid == 0 && !event->has_by);
    event = next(EVENT_KIND_BLOCK_ENDED, &at);
    cr_expect_str_eq(event->name, "cached");
    cr_expect_eq(event->reason, END_EVICTED);
    mb_release(lease);
    end();
}

/* Refusals of one session in one second would be told together. */
Test(block_events, tell_that_a_quota_refused_a_block_or_a_view)
{
    size_t at = 0;
    begin("[sharing]\nmax_blocks = 1\nmax_views = 1\n");
    mb_block *first = publish(client, "first", 1), *second = create_filled(client, NULL, 2);
    cr_expect_eq(mb_block_publish(second, "second"), -EMFILE);
    mb_client *reader = fixture_connect(&fixture, 0);
    mb_view *view = attach(reader, "first");
    cr_expect_eq(attach_result(reader, "first", 0), -EMFILE);
    read_all();
    const struct event_entry *event = next(EVENT_KIND_REFUSED, &at);
    cr_expect(event->code == ERROR_TOO_MANY && strstr(event->text, "max_blocks"), "%s", event->text);
    event = next(EVENT_KIND_REFUSED, &at);
    cr_expect(event->code == ERROR_TOO_MANY && strstr(event->text, "has 1 views"), "%s", event->text);
    (void)mb_view_close(view);
    mb_disconnect(reader);
    (void)mb_block_free(first);
    (void)mb_block_free(second);
    end();
}

/* ---- a full store ---- */

static mb_block *publish_kept(const char *name, mb_lifetime lifetime)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.lifetime = lifetime;
    return publish_with(client, name, &options, 1);
}

/* Of four mebibytes one has a view, one is kept by nobody, one is its publisher's: no cache may be evicted. */
Test(block_events, a_full_store_refuses_in_time_and_names_who_holds_what)
{
    mb_lease *lease;
    mb_lease_options waits = MB_LEASE_OPTIONS_INIT;
    begin("[pool]\npool_bytes = 0\n[limits]\nmax_physical_bytes = 4M\n");
    (void)mb_block_free(publish_kept("viewed", MB_LIFETIME_CACHE));
    mb_view *view = attach(client, "viewed");
    (void)mb_block_free(publish_kept("kept", MB_LIFETIME_KEEP));
    mb_block *own = publish_kept("own", MB_LIFETIME_SESSION);
    waits.wait_ms = 200;
    cr_expect_eq(mb_acquire(client, (uint64_t)2 * BLOCK_BYTES, &waits, &lease), -ENOMEM);
    EXPECT_SENTENCE("It waited for ");
    EXPECT_SENTENCE("block \"viewed\" of uid");
    EXPECT_SENTENCE("block \"kept\" of uid");
    EXPECT_SENTENCE("(0 views) 1 MiB");
    EXPECT_SENTENCE("block \"own\" of uid");
    EXPECT_SENTENCE("unpublish blocks (membrokerctl unpublish NAME)");
    mb_block *block = NULL;
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.wait_ms = 200;
    cr_expect_eq(mb_block_create(client, (uint64_t)2 * BLOCK_BYTES, &options, &block), -ENOMEM);
    EXPECT_SENTENCE("block \"kept\" of uid");
    cr_expect(view_is(view, 1), "who has a view keeps it");
    cr_expect_eq(mb_unpublish(client, "kept"), 0);
    waits.wait_ms = 20000;
    cr_expect_eq(mb_acquire(client, (uint64_t)2 * BLOCK_BYTES, &waits, &lease), 0, "%s", mb_last_error());
    (void)mb_view_close(view);
    (void)mb_block_free(own);
    mb_release(lease);
    end();
}

/* ---- membrokerctl attach, of blocks that it does not publish itself ---- */

/* How many bytes come, all of them sevens. */
static uint64_t attached_bytes(const char *metadata)
{
    char program[1024], command[2048], text[8192];
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.metadata = metadata;
    options.metadata_bytes = strlen(metadata);
    mb_block *block = publish_with(client, "n", &options, 7);
    fixture_program("membrokerctl", program, sizeof program);
    (void)snprintf(command, sizeof command, "%s --socket %s attach n 2>/dev/null", program, fixture.socket);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    uint64_t bytes = 0;
    size_t count;
    while ((count = fread(text, 1, sizeof text, pipe)) > 0) {
        cr_expect(is_filled(text, count, 7));
        bytes += count;
    }
    cr_expect_eq(pclose(pipe), 0);
    (void)mb_block_free(block);
    return bytes;
}

Test(block_events, attach_writes_as_many_bytes_as_the_metadata_says)
{
    begin("");
    cr_expect_eq(attached_bytes("{\"bytes\":5}"), 5);
    cr_expect_eq(attached_bytes("{\"dtype\":\"<f8\",\"shape\":[0],\"bytes\":0}"), 0);
    cr_expect_eq(attached_bytes("{\"bytes\":1048577}"), BLOCK_BYTES, "more than there are");
    cr_expect_eq(attached_bytes("{\"bytes\":-1}"), BLOCK_BYTES);
    cr_expect_eq(attached_bytes("no JSON"), BLOCK_BYTES);
    cr_expect_eq(attached_bytes(""), BLOCK_BYTES);
    end();
}

/* ---- bounds ---- */

static int flood(const struct fixture *of)
{
    mb_client *own = fixture_connect(of, 0);
    for (int i = 0; i < 200; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "flood-%d", i);
        (void)mb_block_free(publish(own, name, 1));
    }
    mb_disconnect(own);
    return 0;
}

static int flood_as_another(const struct fixture *of)
{
    return setgid(4001) == 0 && setuid(4001) == 0 ? flood(of) : 1;
}

Test(block_events, a_flood_of_one_user_leaves_the_events_of_others)
{
    size_t own = 0, others = 0;
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    begin("[history]\nbytes = 64K\n");
    cr_assert_eq(chmod(fixture.socket, 0666), 0);
    (void)mb_block_free(publish(client, "weights", 1));
    cr_expect_eq(run_child(flood_as_another), 0);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 1);
    read_all();
    for (size_t i = 0; i < event_count; i++) {
        bool is_of_block = events[i].kind == EVENT_KIND_PUBLISHED || events[i].kind == EVENT_KIND_BLOCK_ENDED;
        own += is_of_block && events[i].uid == 0;
        others += is_of_block && events[i].uid == 4001;
    }
    cr_expect_eq(own, 2);
    cr_expect(others > 20 && others < 110, "%zu of 400 are left: the ring is full", others);
    end();
}
