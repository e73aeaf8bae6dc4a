/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing by the library: what others see, that the address stays, and every refusal. */
#include <sys/resource.h>

#include "tests/integration/blocks.h"

TestSuite(blocks_publishing, .timeout = 60);

static mb_block_options replacing(void)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.replace = 1;
    return options;
}

static int read_sevens(const struct fixture *of)
{
    mb_client *reader = fixture_connect(of, 0);
    mb_view *view = NULL;
    if (mb_attach(reader, "weights", 0, &view) < 0) {
        return 1;
    }
    size_t bytes;
    const char *metadata = mb_view_metadata(view, &bytes);
    bool is_right = view_is(view, 7) && strcmp(mb_view_type(view), "float32") == 0 && bytes == 5 &&
                    memcmp(metadata, "2,\0,3", 5) == 0 && mb_view_number(view) > 0;
    int closed = mb_view_close(view);
    mb_disconnect(reader);
    return is_right && closed == 0 ? 0 : 2;
}

Test(blocks_publishing, another_process_reads_what_was_published)
{
    begin("");
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.type = "float32";
    options.metadata = "2,\0,3";
    options.metadata_bytes = 5;
    mb_block *block = create_filled(client, &options, 7);
    const void *address = mb_block_data(block);
    cr_assert(mb_block_publish(block, "weights") == 0, "%s", mb_last_error());
    cr_expect_eq(mb_block_data(block), address);
    cr_expect_eq(mb_block_bytes(block), BLOCK_BYTES);
    cr_expect(is_filled(address, BLOCK_BYTES, 7), "the publisher still reads it at the same address");
    cr_expect_eq(mb_lease_check(mb_block_lease(block)), 0);
    cr_expect_eq(run_child(read_sevens), 0);
    cr_expect_eq(used(), BLOCK_BYTES, "it is charged once");
    cr_expect_eq(mb_block_publish(block, "weights"), 0, "the same again changes nothing");
    cr_expect_eq(mb_block_free(block), 0);
    WAIT_UNTIL(used() == 0);
    end();
}

/* A sanitizer would end the child in another way. */
static mb_client *connect_to_die(const struct fixture *of)
{
    (void)signal(SIGSEGV, SIG_DFL);
    return fixture_connect(of, 0);
}

static int write_after(const struct fixture *of)
{
    mb_client *own = connect_to_die(of);
    mb_block *block = publish(own, "own", 1);
    *(volatile char *)mb_block_data(block) = 2;
    return 0;
}

static int write_after_refusal(const struct fixture *of)
{
    mb_client *own = connect_to_die(of);
    mb_block *block = create_filled(own, NULL, 1);
    if (mb_block_publish(block, "taken") == -EEXIST) {
        *(volatile char *)mb_block_data(block) = 2;
    }
    return 0;
}

static int write_to_view(const struct fixture *of)
{
    mb_client *own = connect_to_die(of);
    mb_view *view = attach(own, "taken");
    *(volatile char *)(uintptr_t)mb_view_data(view, NULL) = 2;
    return 0;
}

Test(blocks_publishing, writing_raises_a_signal_for_publisher_and_reader)
{
    begin("");
    mb_block *block = publish(client, "taken", 5);
    cr_expect_eq(run_child(write_after), -SIGSEGV);
    cr_expect_eq(run_child(write_after_refusal), -SIGSEGV);
    cr_expect_eq(run_child(write_to_view), -SIGSEGV);
    cr_expect_lt(mprotect(mb_block_data(block), BLOCK_BYTES, PROT_READ | PROT_WRITE), 0);
    cr_expect(is_filled(mb_block_data(block), BLOCK_BYTES, 5));
    end();
}

/* ---- another address ---- */

Test(blocks_publishing, who_kept_a_pointer_to_a_moved_block_has_zeros)
{
    begin("");
    mb_block *block = create_filled(client, NULL, 7);
    char *old = mb_block_data(block);
    cr_assert_eq(mb_block_publish_to_zeros(block, "moved"), 0, "%s", mb_last_error());
    cr_expect_neq(mb_block_data(block), old);
    cr_expect(is_filled(mb_block_data(block), BLOCK_BYTES, 7));
    cr_expect(is_filled(old, BLOCK_BYTES, 0));
    memset(old, 1, BLOCK_BYTES);
    mb_view *view = attach(client, "moved");
    cr_expect(view_is(view, 7) && is_filled(mb_block_data(block), BLOCK_BYTES, 7), "it was written to nowhere");
    cr_expect_eq(mb_lease_from_address(old), NULL);
    cr_expect_eq(mb_lease_from_address(mb_block_data(block)), mb_block_lease(block));
    const void *new = mb_block_data(block);
    cr_expect_eq(mb_block_publish_to_zeros(block, "moved"), 0, "the same again changes nothing");
    cr_expect_eq(mb_block_data(block), new);
    cr_expect(mb_view_close(view) == 0 && mb_block_free(block) == 0);
    cr_expect(is_filled(old, BLOCK_BYTES, 1), "the zeros are the program's");
    cr_expect_eq(munmap(old, BLOCK_BYTES), 0);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(blocks_publishing, a_block_moves_once_whatever_comes_of_its_publication)
{
    begin("");
    mb_block *taken = publish(client, "taken", 1), *block = create_filled(client, NULL, 2);
    char *old = mb_block_data(block);
    cr_expect_eq(mb_block_publish_to_zeros(block, ""), -EINVAL);
    cr_expect_eq(mb_block_data(block), old, "a name that is not valid changes nothing");
    *(volatile char *)old = 2;
    cr_expect_eq(mb_block_publish_to_zeros(block, "taken"), -EEXIST);
    const void *moved = mb_block_data(block);
    cr_expect_neq(moved, old);
    cr_expect_eq(mb_block_publish_to_zeros(block, "free"), 0, "%s", mb_last_error());
    cr_expect_eq(mb_block_data(block), moved);
    cr_expect(is_filled(moved, BLOCK_BYTES, 2) && is_filled(old, BLOCK_BYTES, 0));
    cr_expect(mb_block_free(taken) == 0 && mb_block_free(block) == 0);
    cr_expect_eq(munmap(old, BLOCK_BYTES), 0);
    end();
}

Test(blocks_publishing, what_a_moved_block_left_can_be_written_to_after_the_loss_of_its_lease)
{
    begin("");
    mb_client *guarded = fixture_connect(&fixture, MB_CLIENT_GUARD);
    mb_block *block = create_filled(guarded, NULL, 7);
    char *old = mb_block_data(block);
    cr_assert_eq(mb_block_publish_to_zeros(block, "moved"), 0, "%s", mb_last_error());
    (void)fixture_revoke(&fixture, mb_lease_id(mb_block_lease(block)));
    WAIT_UNTIL(mb_lease_check(mb_block_lease(block)) < 0);
    WAIT_UNTIL(*(volatile char *)mb_block_data(block) == 0);
    memset(old, 1, BLOCK_BYTES);
    cr_expect(is_filled(mb_block_data(block), BLOCK_BYTES, 0));
    cr_expect_eq(mb_block_free(block), -ESTALE);
    cr_expect(is_filled(old, BLOCK_BYTES, 1));
    cr_expect_eq(munmap(old, BLOCK_BYTES), 0);
    mb_disconnect(guarded);
    end();
}

static int publish_without_room(mb_block *block)
{
    struct rlimit before, none;
    cr_assert_eq(getrlimit(RLIMIT_AS, &before), 0);
    none = before;
    none.rlim_cur = BLOCK_BYTES;
    cr_assert_eq(setrlimit(RLIMIT_AS, &none), 0);
    int result = mb_block_publish_to_zeros(block, "moved");
    cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
    return result;
}

Test(blocks_publishing, a_block_without_room_to_move_to_stays_as_it_is)
{
    begin("");
    mb_block *block = create_filled(client, NULL, 7);
    char *old = mb_block_data(block);
    cr_expect_eq(publish_without_room(block), -ENOMEM);
    EXPECT_SENTENCE("could not be mapped");
    cr_expect_eq(mb_block_data(block), old);
    *old = 8;
    cr_expect_eq(attach_result(client, "moved", 0), -ENOENT);
    cr_expect_eq(mb_block_publish_to_zeros(block, "moved"), 0, "%s", mb_last_error());
    cr_expect_eq(*(char *)mb_block_data(block), 8);
    cr_expect(mb_block_free(block) == 0 && munmap(old, BLOCK_BYTES) == 0);
    end();
}

Test(blocks_publishing, a_name_is_taken_once_and_can_be_replaced)
{
    begin("");
    mb_block *first = publish(client, "weights", 1);
    mb_view *old = attach(client, "weights");
    mb_block *second = create_filled(client, NULL, 2);
    cr_expect_eq(mb_block_publish(second, "weights"), -EEXIST);
    EXPECT_SENTENCE("weights");
    cr_expect_eq(mb_block_publish(second, "others"), 0, "the block is still there, for another name");
    cr_expect_eq(mb_block_publish(second, "third"), -EINVAL);
    EXPECT_SENTENCE("others");
    const mb_block_options options = replacing();
    mb_block *third = publish_with(client, "weights", &options, 3);
    mb_view *new = attach(client, "weights");
    cr_expect(view_is(old, 1) && view_is(new, 3), "who reads the old one still does");
    cr_expect_neq(mb_view_number(old), mb_view_number(new));
    cr_expect(mb_view_close(old) == 0 && mb_view_close(new) == 0);
    (void)mb_block_free(first);
    cr_expect(mb_block_free(second) == 0 && mb_block_free(third) == 0);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(blocks_publishing, unpublishing_takes_the_name_and_leaves_the_views)
{
    begin("");
    mb_block *block = publish(client, "weights", 1);
    mb_view *view = attach(client, "weights");
    cr_expect_eq(mb_unpublish(client, "weights"), 0, "%s", mb_last_error());
    cr_expect(view_is(view, 1));
    cr_expect_eq(attach_result(client, "weights", 0), -ESTALE);
    cr_expect_eq(mb_last_end_reason(), MB_END_UNPUBLISHED);
    EXPECT_SENTENCE("unpublished");
    cr_expect_eq(mb_unpublish(client, "weights"), -ENOENT);
    cr_expect_eq(mb_last_end_reason(), MB_END_NONE);
    cr_expect_eq(mb_unpublish(client, ""), -EINVAL);
    cr_expect_eq(mb_view_close(view), 0);
    (void)mb_block_free(block);
    WAIT_UNTIL(used() == 0);
    end();
}

/* ---- who can still write ---- */

static int until_killed(const struct fixture *of)
{
    (void)of;
    (void)pause();
    return 0;
}

static int publish_beside_a_child(unsigned flags)
{
    mb_client *sharing = fixture_connect(&fixture, flags);
    mb_block *block = create_filled(sharing, NULL, 4);
    pid_t child = fixture_fork(until_killed, &fixture);
    int result = mb_block_publish(block, "shared");
    cr_expect(is_filled(mb_block_data(block), BLOCK_BYTES, 4));
    cr_expect(attach_result(client, "shared", 0) == (result == 0 ? 0 : -ENOENT));
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    cr_expect_eq(mb_block_publish(block, "shared"), 0, "%s", mb_last_error());
    mb_view *view = attach(client, "shared");
    cr_expect(view_is(view, 4));
    cr_expect(mb_view_close(view) == 0 && mb_block_free(block) == 0);
    mb_disconnect(sharing);
    return result;
}

Test(blocks_publishing, a_child_that_can_write_is_in_the_way_until_it_ends)
{
    begin("");
    cr_expect_eq(publish_beside_a_child(MB_CLIENT_SHARE_WITH_CHILDREN), -EBUSY);
    cr_expect_eq(publish_beside_a_child(0), 0, "a child has no mapping by default");
    end();
}

static mb_block *inherited;

static int use_in_child(const struct fixture *of)
{
    (void)of;
    mb_view *view = NULL;
    unsigned char resident;
    bool refused = mb_block_publish(inherited, "weights") == -EPERM && mb_block_free(inherited) == -EPERM &&
                   mb_attach(client, "weights", 0, &view) == -EPERM && mb_unpublish(client, "weights") == -EPERM;
    bool is_absent = mincore(mb_block_data(inherited), 4096, &resident) < 0 && errno == ENOMEM;
    return refused && is_absent ? 0 : 1;
}

Test(blocks_publishing, a_forked_child_has_neither_block_nor_mapping)
{
    begin("");
    inherited = create_filled(client, NULL, 1);
    cr_expect_eq(run_child(use_in_child), 0);
    cr_assert_eq(mb_block_publish(inherited, "published"), 0);
    cr_expect_eq(run_child(use_in_child), 0, "nor of the mapping that took the place of the first");
    cr_expect_eq(mb_block_free(inherited), 0);
    inherited = create_filled(client, NULL, 1);
    void *old = mb_block_data(inherited);
    cr_assert_eq(mb_block_publish_to_zeros(inherited, "moved"), 0);
    cr_expect_eq(run_child(use_in_child), 0, "nor of the one at another address");
    cr_expect(mb_block_free(inherited) == 0 && munmap(old, BLOCK_BYTES) == 0);
    end();
}

/* ---- what is refused ---- */

static void expect_no_block(const mb_block_options *options, const char *sentence)
{
    mb_block *block = NULL;
    cr_expect_eq(mb_block_create(client, BLOCK_BYTES, options, &block), -EINVAL, "%s", sentence);
    EXPECT_SENTENCE(sentence);
    cr_expect_null(block);
}

Test(blocks_publishing, options_that_make_no_sense_are_refused_at_once)
{
    begin("");
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.keep_ms = 1;
    expect_no_block(&options, "keep_ms");
    options = (mb_block_options)MB_BLOCK_OPTIONS_INIT;
    options.lifetime = (mb_lifetime)3;
    expect_no_block(&options, "lifetime");
    options = (mb_block_options)MB_BLOCK_OPTIONS_INIT;
    options.access = (mb_access)-1;
    expect_no_block(&options, "access");
    options = (mb_block_options)MB_BLOCK_OPTIONS_INIT;
    options.type = "a\nb";
    expect_no_block(&options, "type");
    options = (mb_block_options)MB_BLOCK_OPTIONS_INIT;
    options.metadata = &options;
    options.metadata_bytes = MB_BLOCK_METADATA_MAX + 1;
    expect_no_block(&options, "4096");
    options = (mb_block_options)MB_BLOCK_OPTIONS_INIT;
    options.metadata_bytes = 5;
    expect_no_block(&options, "metadata is NULL");
    options = (mb_block_options)MB_BLOCK_OPTIONS_INIT;
    options.gid = 7;
    expect_no_block(&options, "gid goes with MB_ACCESS_GROUP");
    options = (mb_block_options)MB_BLOCK_OPTIONS_INIT;
    options.size = 1;
    expect_no_block(&options, "MB_BLOCK_OPTIONS_INIT");
    cr_expect_eq(used(), 0);
    end();
}

/* The library says so before it asks for memory, and the broker whatever the library says. */
Test(blocks_publishing, a_block_in_a_file_is_for_its_own_user_alone)
{
    begin("");
    mb_block *block = NULL;
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.location = MB_LOCATION_MMAP;
    options.access = MB_ACCESS_ALL;
    cr_expect_eq(mb_block_create(client, BLOCK_BYTES, &options, &block), -EOPNOTSUPP);
    EXPECT_SENTENCE("of its own user only");
    options.access = MB_ACCESS_GROUP;
    options.gid = getgid();
    cr_expect_eq(mb_block_create(client, BLOCK_BYTES, &options, &block), -EOPNOTSUPP);
    EXPECT_SENTENCE("use MB_ACCESS_USER, or memory");
    cr_expect_null(block);
    cr_expect_eq(used(), 0);
    options.access = MB_ACCESS_USER;
    options.gid = 0;
    cr_expect_eq(mb_block_free(publish_with(client, "own", &options, 1)), 0);
    end();
}

Test(blocks_publishing, names_limits_and_groups_are_checked)
{
    static const char long_name[] = "a23456789b23456789c23456789d23456789e23456789f23456789g23456789h";
    begin("[sharing]\nmax_blocks = 1\n");
    mb_block *block = create_filled(client, NULL, 1);
    cr_expect_eq(mb_block_publish(block, ""), -EINVAL);
    cr_expect_eq(mb_block_publish(block, NULL), -EINVAL);
    cr_expect_eq(mb_block_publish(block, long_name), -EINVAL);
    *(volatile char *)mb_block_data(block) = 1; /* a name that is not valid changes nothing */
    cr_assert_eq(mb_block_publish(block, "first"), 0);
    mb_block *second = create_filled(client, NULL, 1);
    cr_expect_eq(mb_block_publish(second, "second"), -EMFILE);
    EXPECT_SENTENCE("max_blocks");
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.access = MB_ACCESS_GROUP;
    options.gid = 54321;
    mb_block *foreign = create_filled(client, &options, 1);
    cr_expect_eq(mb_block_publish(foreign, "foreign"), -EACCES);
    EXPECT_SENTENCE("54321");
    cr_expect(mb_block_free(block) == 0 && mb_block_free(second) == 0 && mb_block_free(foreign) == 0);
    cr_expect_eq(mb_block_free(NULL), 0);
    end();
}

Test(blocks_publishing, a_block_whose_lease_ended_is_not_published)
{
    begin("");
    mb_block *block = create_filled(client, NULL, 1);
    (void)fixture_revoke(&fixture, mb_lease_id(mb_block_lease(block)));
    WAIT_UNTIL(mb_lease_check(mb_block_lease(block)) < 0);
    cr_expect_eq(mb_block_publish(block, "lost"), -ESTALE);
    cr_expect_eq(mb_last_end_reason(), MB_END_REVOKED);
    cr_expect_eq(mb_last_lost_lease(), mb_lease_id(mb_block_lease(block)));
    cr_expect_eq(mb_block_free(block), -ESTALE);
    cr_expect_eq(attach_result(client, "lost", 0), -ENOENT);
    cr_expect_eq(mb_last_lost_lease(), 0, "no lease is lost");
    end();
}

Test(blocks_publishing, memory_that_does_not_fit_is_refused_with_figures)
{
    begin("[limits]\nmax_bytes = 4M\n");
    mb_block *block = NULL;
    mb_refusal refusal = MB_REFUSAL_INIT;
    cr_expect_eq(mb_block_create(client, 8 * MIB, NULL, &block), -ENOMEM);
    cr_expect(mb_last_refusal(&refusal) == 0 && refusal.asked_bytes == 8 * MIB);
    block = publish(client, "kept", 1);
    mb_block *other = NULL;
    cr_expect_eq(mb_block_create(client, 4 * MIB, NULL, &other), -ENOMEM, "a published block still counts");
    cr_expect_eq(mb_block_free(block), 0);
    end();
}

/* ---- lifetimes ---- */

static mb_block_options of_lifetime(mb_lifetime lifetime, uint32_t keep_ms)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.lifetime = lifetime;
    options.keep_ms = keep_ms;
    return options;
}

Test(blocks_publishing, the_lifetime_says_what_stays)
{
    begin("");
    const mb_block_options kept = of_lifetime(MB_LIFETIME_KEEP, 0), brief = of_lifetime(MB_LIFETIME_KEEP, 50),
                           cached = of_lifetime(MB_LIFETIME_CACHE, 0);
    cr_expect_eq(mb_block_free(publish(client, "session", 1)), 0);
    cr_expect_eq(mb_block_free(publish_with(client, "kept", &kept, 2)), 0);
    cr_expect_eq(mb_block_free(publish_with(client, "cached", &cached, 3)), 0);
    cr_expect_eq(mb_block_free(publish_with(client, "brief", &brief, 4)), 0);
    WAIT_UNTIL(attach_result(client, "session", 0) == -ESTALE);
    WAIT_UNTIL(attach_result(client, "brief", 0) == -ESTALE);
    cr_expect_eq(mb_last_end_reason(), MB_END_EXPIRED);
    mb_view *view = attach(client, "kept");
    cr_expect(view_is(view, 2) && mb_view_close(view) == 0);
    cr_expect_eq(attach_result(client, "cached", 0), 0);
    cr_expect(mb_unpublish(client, "kept") == 0 && mb_unpublish(client, "cached") == 0);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(blocks_publishing, a_cached_block_makes_room_and_says_that_it_was_evicted)
{
    begin("[limits]\nmax_bytes = 2M\n");
    const mb_block_options cached = of_lifetime(MB_LIFETIME_CACHE, 0);
    cr_expect_eq(mb_block_free(publish_with(client, "cached", &cached, 3)), 0);
    mb_lease *lease = NULL;
    cr_assert_eq(mb_acquire(client, 2 * MIB, NULL, &lease), 0, "%s", mb_last_error());
    cr_expect_eq(attach_result(client, "cached", 0), -ESTALE);
    cr_expect_eq(mb_last_end_reason(), MB_END_EVICTED);
    cr_expect_eq(attach_result(client, "never", 0), -ENOENT);
    cr_expect_eq(mb_last_end_reason(), MB_END_NONE);
    cr_expect_eq(mb_release(lease), 0);
    end();
}

/* Under ASan: nothing that the program did not end itself is left. */
Test(blocks_publishing, disconnecting_ends_what_is_left)
{
    begin("");
    mb_client *other = fixture_connect(&fixture, 0);
    (void)create_filled(other, NULL, 1);
    (void)publish(other, "left", 2);
    (void)attach(other, "left");
    mb_disconnect(other);
    WAIT_UNTIL(used() == 0);
    end();
}
