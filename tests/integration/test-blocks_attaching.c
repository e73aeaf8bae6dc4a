/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching by the library: waiting for a name, who may attach, and a view that ends while it is read. */
#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "tests/integration/blocks.h"

TestSuite(blocks_attaching, .timeout = 60);

/* ---- waiting ---- */

struct wait {
    pthread_t thread;
    uint32_t wait_ms;
    int result;
    char sentence[256];
};

static void *wait_for_late(void *argument)
{
    struct wait *wait = argument;
    mb_view *view = NULL;
    wait->result = mb_attach(client, "late", wait->wait_ms, &view);
    (void)snprintf(wait->sentence, sizeof wait->sentence, "%s", mb_last_error());
    if (wait->result == 0) {
        wait->result = view_is(view, 6) ? mb_view_close(view) : -EBADMSG;
    }
    return NULL;
}

static void begin_wait(struct wait *wait, uint32_t wait_ms)
{
    *wait = (struct wait){.wait_ms = wait_ms};
    cr_assert(pthread_create(&wait->thread, NULL, wait_for_late, wait) == 0);
}

static int end_wait(struct wait *wait)
{
    (void)pthread_join(wait->thread, NULL);
    return wait->result;
}

Test(blocks_attaching, readers_wait_for_a_name_until_it_is_published)
{
    enum { READERS = 8 };
    struct wait waits[READERS];
    begin("");
    for (int i = 0; i < READERS; i++) {
        begin_wait(&waits[i], 20000);
    }
    sleep_ms(20); /* most of them wait by now; what follows does not depend on it */
    mb_block *block = publish(client, "late", 6);
    for (int i = 0; i < READERS; i++) {
        cr_expect_eq(end_wait(&waits[i]), 0, "%s", waits[i].sentence);
    }
    cr_expect_eq(mb_block_free(block), 0);
    end();
}

Test(blocks_attaching, a_wait_ends_with_what_there_is_not)
{
    begin("");
    cr_expect_eq(attach_result(client, "late", 30), -ENOENT);
    EXPECT_SENTENCE("late");
    mb_block *block = publish(client, "late", 6);
    cr_expect_eq(mb_block_free(block), 0);
    WAIT_UNTIL(attach_result(client, "late", 30) == -ESTALE);
    cr_expect_eq(mb_last_end_reason(), MB_END_RELEASED);
    end();
}

Test(blocks_attaching, a_wait_can_be_cancelled)
{
    struct wait wait;
    begin("");
    begin_wait(&wait, 20000);
    while (fixture_status(&fixture).sessions == 0 || wait.result == 0) {
        mb_cancel_waits(client);
        sleep_ms(5);
        if (wait.result) {
            break;
        }
    }
    cr_expect_eq(end_wait(&wait), -ECANCELED);
    end();
}

Test(blocks_attaching, names_that_can_not_be_are_refused)
{
    begin("[sharing]\nmax_views = 2\n");
    mb_view *view = NULL, *second = NULL;
    cr_expect_eq(mb_attach(client, "", 0, &view), -EINVAL);
    cr_expect_eq(mb_attach(client, NULL, 0, &view), -EINVAL);
    cr_expect_eq(mb_attach(client, "a\tb", 0, &view), -EINVAL);
    mb_block *block = publish(client, "weights", 1);
    view = attach(client, "weights");
    while (mb_attach(client, "weights", 0, &second) == 0) { /* the publisher's lease may count as one */
    }
    cr_expect_eq(attach_result(client, "weights", 0), -EMFILE);
    EXPECT_SENTENCE("max_views");
    (void)view;
    (void)block;
    end();
}

/* ---- a full store ---- */

/* Neither does the wait last for ever, nor is what is read evicted. */
Test(blocks_attaching, a_store_full_of_what_is_read_refuses_in_time_and_names_it)
{
    begin("[limits]\nmax_physical_bytes = 2M\n");
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    mb_lease_options waiting = MB_LEASE_OPTIONS_INIT;
    mb_refusal refusal = MB_REFUSAL_INIT;
    mb_lease *lease = NULL;
    options.lifetime = MB_LIFETIME_CACHE;
    cr_expect_eq(mb_block_free(publish_with(client, "one", &options, 1)), 0);
    cr_expect_eq(mb_block_free(publish_with(client, "two", &options, 2)), 0);
    mb_view *one = attach(client, "one"), *two = attach(client, "two");
    waiting.wait_ms = 100;
    waiting.location = MB_LOCATION_RAM;
    cr_expect_eq(mb_acquire(client, MIB, &waiting, &lease), -ENOMEM);
    EXPECT_SENTENCE("block \"one\"");
    EXPECT_SENTENCE("block \"two\"");
    EXPECT_SENTENCE("unpublish");
    cr_expect(mb_last_refusal(&refusal) == 0 && refusal.asked_bytes == MIB && refusal.holder_count == 2);
    cr_expect(view_is(one, 1) && view_is(two, 2));
    cr_expect_eq(mb_view_close(one), 0);
    waiting.wait_ms = 20000;
    cr_expect_eq(mb_acquire(client, MIB, &waiting, &lease), 0, "%s", mb_last_error());
    cr_expect_eq(attach_result(client, "one", 0), -ESTALE);
    cr_expect(mb_view_close(two) == 0 && mb_release(lease) == 0 && mb_unpublish(client, "two") == 0);
    end();
}

/* ---- other users ---- */

enum { ALICE = 4001, GUESTS = 4200 };

static int as_alice(gid_t group, int (*body)(const struct fixture *of))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        bool became = setgroups(group ? 1 : 0, &group) == 0 && setgid(ALICE) == 0 && setuid(ALICE) == 0;
        _exit(became ? body(&fixture) : 99);
    }
    cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Bit 0: the block for all; 1: for the group; 2: for its user. */
static int what_is_there(const struct fixture *of)
{
    static const char *const names[] = {"for-all", "for-guests", "for-me"};
    mb_client *other = fixture_connect(of, 0);
    int found = 0;
    for (int i = 0; i < 3; i++) {
        mb_view *view = NULL;
        int result = mb_attach_from(other, 0, names[i], 0, &view);
        found |= result == 0 && view_is(view, i + 1) ? 1 << i : 0;
        if (result < 0 && result != -ENOENT) {
            return 100;
        }
    }
    bool is_own = mb_attach(other, names[0], 0, &(mb_view *){NULL}) == 0; /* Alice has none of that name */
    bool may_end = mb_unpublish(other, names[0]) == 0;
    mb_disconnect(other);
    return is_own || may_end ? 101 : found;
}

Test(blocks_attaching, access_says_which_users_may_attach)
{
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    begin("");
    cr_assert(chmod(fixture.socket, 0666) == 0);
    cr_assert(setgroups(1, &(gid_t){GUESTS}) == 0);
    mb_client *publisher = fixture_connect(&fixture, 0);
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.access = MB_ACCESS_ALL;
    (void)publish_with(publisher, "for-all", &options, 1);
    options.access = MB_ACCESS_GROUP;
    options.gid = GUESTS;
    (void)publish_with(publisher, "for-guests", &options, 2);
    (void)publish(publisher, "for-me", 3);
    cr_expect_eq(as_alice(0, what_is_there), 1);
    cr_expect_eq(as_alice(GUESTS, what_is_there), 3);
    cr_expect_eq(run_child(what_is_there) & 1, 1);
    mb_disconnect(publisher);
    end();
}

/* ---- views that end ---- */

static _Atomic(mb_view *) known_view;
static atomic_int told, reasons;

static void on_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    if (event->type == MB_EVENT_LEASE_LOST && event->lease == mb_view_lease(known_view)) {
        reasons = (int)event->reason;
        told += event->range_count == 1 && event->ranges[0].address == mb_view_data(known_view, NULL) &&
                event->ranges[0].bytes == BLOCK_BYTES;
    }
}

static mb_client *connect_guarded(const struct fixture *of)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *guarded = NULL;
    options.socket = of->socket;
    options.flags = MB_CLIENT_GUARD;
    options.on_event = on_event;
    cr_assert(mb_connect(&options, &guarded) == 0, "%s", mb_last_error());
    return guarded;
}

static void end_by_force(const mb_lease *lease)
{
    cr_expect_eq(fixture_revoke(&fixture, mb_lease_id(lease)), ERROR_UNSPECIFIED);
}

Test(blocks_attaching, a_lost_view_reads_zeros_and_says_so)
{
    begin("");
    mb_block *block = publish(client, "weights", 9);
    mb_client *guarded = connect_guarded(&fixture);
    known_view = attach(guarded, "weights");
    cr_expect_eq(mb_lease_from_address((const char *)mb_view_data(known_view, NULL) + 5), mb_view_lease(known_view));
    end_by_force(mb_view_lease(known_view));
    WAIT_UNTIL(mb_view_check(known_view) < 0);
    cr_expect_eq(mb_last_end_reason(), MB_END_REVOKED);
    cr_expect_eq(mb_last_lost_lease(), mb_lease_id(mb_view_lease(known_view)));
    (void)mb_block_free(block);
    WAIT_UNTIL(used() == 0);
    cr_expect(is_filled(mb_view_data(known_view, NULL), BLOCK_BYTES, 0), "its pages are gone");
    WAIT_UNTIL(told == 1);
    cr_expect_eq(reasons, MB_END_REVOKED);
    cr_expect_eq(mb_view_close(known_view), -ESTALE);
    cr_expect_eq(mb_view_close(NULL), 0);
    mb_disconnect(guarded);
    end();
}

static int touch_without_guard(const struct fixture *of)
{
    mb_client *own = fixture_connect(of, 0);
    mb_block *block = publish(own, "own", 1);
    mb_view *view = attach(own, "own");
    (void)signal(SIGBUS, SIG_DFL);
    (void)fixture_revoke(of, mb_lease_id(mb_view_lease(view)));
    (void)mb_block_free(block);
    while (fixture_status(of).used_bytes > 0) {
        sleep_ms(1);
    }
    (void)*(const volatile char *)mb_view_data(view, NULL);
    return 0;
}

Test(blocks_attaching, without_the_guard_a_lost_view_raises_a_signal)
{
    begin("");
    cr_expect_eq(run_child(touch_without_guard), -SIGBUS);
    end();
}

/* The kernel maps a child's own memory where the parent's would be, which is absent. */
static int attach_where_the_parents_block_was(const struct fixture *of)
{
    mb_client *own = connect_guarded(of);
    for (int i = 0; i < 20; i++) {
        mb_view *view = attach(own, "weights");
        if (mb_lease_from_address(mb_view_data(view, NULL)) != mb_view_lease(view)) {
            return 1;
        }
    }
    mb_disconnect(own);
    return 0;
}

Test(blocks_attaching, a_childs_view_is_not_taken_for_its_parents_block)
{
    begin("");
    mb_block *blocks[4];
    for (int i = 0; i < 4; i++) {
        blocks[i] = create_filled(client, NULL, 1);
    }
    cr_assert_eq(mb_block_publish(blocks[0], "weights"), 0);
    cr_expect_eq(run_child(attach_where_the_parents_block_was), 0);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(mb_block_free(blocks[i]), 0);
    }
    end();
}

/* What a publisher lost before it published is zeros for it, and may still be written. */
Test(blocks_attaching, a_lost_block_that_is_written_reads_zeros)
{
    begin("");
    mb_client *guarded = fixture_connect(&fixture, MB_CLIENT_GUARD);
    mb_block *block = create_filled(guarded, NULL, 1);
    end_by_force(mb_block_lease(block));
    WAIT_UNTIL(used() == 0);
    char *data = mb_block_data(block);
    data[1] = 1;
    cr_expect(data[0] == 0 && data[1] == 1);
    cr_expect_eq(mb_block_publish(block, "lost"), -ESTALE);
    cr_expect_eq(mb_block_free(block), -ESTALE);
    mb_disconnect(guarded);
    end();
}

/* ---- under readers ---- */

enum { THREADS = 4, ROUNDS = 40 };
static atomic_uint reads, losses, untold;
static atomic_bool stops;

/* All bytes of a block are equal, and not zero. */
static void read_once(const mb_view *view)
{
    uint64_t bytes;
    const unsigned char *data = mb_view_data(view, &bytes);
    bool is_whole = data[0] != 0 && is_filled(data, bytes, data[0]);
    bool is_said_whole = mb_view_check(view) == 0;
    reads++;
    losses += !is_said_whole;
    untold += is_said_whole && !is_whole;
}

static void *read_always(void *argument)
{
    mb_client *guarded = argument;
    while (!stops) {
        mb_view *view = NULL;
        if (mb_attach(guarded, "weights", 100, &view) < 0) {
            continue;
        }
        for (int i = 0; i < 20 && mb_view_check(view) == 0; i++) {
            read_once(view);
        }
        (void)mb_view_close(view);
    }
    return NULL;
}

static void begin_readers(pthread_t *threads, mb_client *guarded)
{
    for (int i = 0; i < THREADS; i++) {
        cr_assert(pthread_create(&threads[i], NULL, read_always, guarded) == 0);
    }
}

static void end_readers(const pthread_t *threads)
{
    stops = true;
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

Test(blocks_attaching, readers_of_a_name_that_is_replaced_see_whole_blocks)
{
    pthread_t threads[THREADS];
    begin("");
    mb_client *guarded = fixture_connect(&fixture, MB_CLIENT_GUARD);
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.replace = 1;
    mb_block *block = publish_with(client, "weights", &options, 1);
    begin_readers(threads, guarded);
    for (int i = 2; i < ROUNDS || reads < 200; i++) {
        mb_block *next = publish_with(client, "weights", &options, 1 + i % 200);
        (void)mb_block_free(block);
        block = next;
        cr_expect_eq(attach_result(client, "weights", 0), 0, "the name leads to a block at every moment");
    }
    end_readers(threads);
    cr_expect_eq(untold, 0);
    cr_expect_eq(losses, 0, "a view of one's own user ends with its close only");
    mb_disconnect(guarded);
    cr_expect_eq(mb_block_free(block), 0);
    end();
}

/* Ends the session of all readers by force, under their hands. */
static void revoke_all_views(void)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_LEASES}};
    struct reply reply;
    uint64_t ids[64];
    size_t count = 0;
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL) && fixture_exchange(fd, &request, &reply, NULL));
    for (size_t i = 0; i < reply.listing.lease_count && count < 64; i++) {
        if (strcmp(reply.listing.leases[i].name, "weights") == 0) {
            ids[count++] = reply.listing.leases[i].lease;
        }
    }
    (void)close(fd);
    for (size_t i = 0; i < count; i++) {
        (void)fixture_revoke(&fixture, ids[i]);
    }
}

Test(blocks_attaching, no_revocation_under_readers_is_untold)
{
    pthread_t threads[THREADS];
    begin("");
    mb_client *guarded = fixture_connect(&fixture, MB_CLIENT_GUARD);
    begin_readers(threads, guarded);
    for (int i = 0; i < ROUNDS || losses < 20; i++) {
        mb_block *block = publish(client, "weights", 1 + i % 200);
        sleep_ms(2);
        (void)mb_block_free(block);
        (void)mb_unpublish(client, "weights");
        revoke_all_views();
    }
    end_readers(threads);
    cr_expect_eq(untold, 0, "%u of %u reads", untold, reads);
    mb_disconnect(guarded);
    end();
}

/* ---- what is said of a loss ---- */

static void revoke_lease(const mb_lease *lease)
{
    cr_assert(fixture_revoke(&fixture, mb_lease_id(lease)) == ERROR_UNSPECIFIED);
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE);
}

#define EXPECT_LOST(call, sentence)                                                                                    \
    do {                                                                                                               \
        cr_expect_eq((call), -ESTALE);                                                                                 \
        cr_expect_str_eq(mb_last_error(), (sentence));                                                                 \
        cr_expect_eq(mb_last_end_reason(), MB_END_REVOKED);                                                            \
    } while (0)

Test(blocks_attaching, what_is_lost_has_the_name_of_its_block)
{
    char lost_view[96], lost_memory[96], unnamed[96];
    begin("");
    mb_block *never_published = create_filled(client, NULL, 2), *block = publish(client, "weights", 1);
    mb_view *view = attach(client, "weights");
    (void)snprintf(lost_view, sizeof lost_view, "lease %llu, the view of block \"weights\", is lost: it was revoked",
                   (unsigned long long)mb_lease_id(mb_view_lease(view)));
    (void)snprintf(lost_memory, sizeof lost_memory,
                   "lease %llu, the memory of block \"weights\", is lost: it was revoked",
                   (unsigned long long)mb_lease_id(mb_block_lease(block)));
    (void)snprintf(unnamed, sizeof unnamed, "lease %llu (block) is lost: it was revoked",
                   (unsigned long long)mb_lease_id(mb_block_lease(never_published)));
    revoke_lease(mb_view_lease(view));
    EXPECT_LOST(mb_view_check(view), lost_view);
    EXPECT_LOST(mb_view_close(view), lost_view);
    revoke_lease(mb_block_lease(block));
    EXPECT_LOST(mb_block_publish(block, "weights"), lost_memory);
    EXPECT_LOST(mb_block_free(block), lost_memory);
    revoke_lease(mb_block_lease(never_published));
    EXPECT_LOST(mb_block_publish(never_published, "others"), unnamed);
    EXPECT_LOST(mb_block_free(never_published), unnamed);
    end();
}
