/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 of a publisher and of a reader at every step: before and after each system call that it makes (ptrace). At
 * each of them the ledger is the kernel's, and so it is after the death; the name leads to a whole block or to none.
 */
#include <stdatomic.h>
#include <sys/ptrace.h>

#include "tests/integration/blocks.h"

TestSuite(block_processes, .timeout = 300);

enum {
    OLD = 1, /* what the bytes of blocks are */
    NEW = 2,
    STEPS_LEAST = 10,
    SYSTEM_CALL_STOP = SIGTRAP | 0x80,
};

/* What the children do to the end is done. */
static atomic_bool *is_done;

/* ---- one step after the other ---- */

static int (*life)(mb_client *own);

static int live(const struct fixture *of)
{
    mb_client *own = fixture_connect(of, MB_CLIENT_NO_THREAD);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0) {
        return 100;
    }
    *is_done = life(own) == 0;
    return 0;
}

/* False: it ended before. */
static bool go_to_next_step(pid_t child)
{
    int status, signal = 0;
    do {
        cr_assert(ptrace(PTRACE_SYSCALL, child, NULL, (void *)(intptr_t)signal) == 0);
        cr_assert(waitpid(child, &status, 0) == child);
        if (!WIFSTOPPED(status)) {
            cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
            return false;
        }
        signal = WSTOPSIG(status);
    } while (signal != SYSTEM_CALL_STOP);
    return true;
}

static bool is_alone(void)
{
    return fixture_status(&fixture).sessions == 1;
}

/* True: it was killed at that step; or else it did not have so many. */
static bool kill_at(unsigned step, bool looks_before)
{
    int status;
    pid_t child = fixture_fork(live, &fixture);
    cr_assert(waitpid(child, &status, 0) == child && WIFSTOPPED(status), "status %#x: no ptrace", (unsigned)status);
    cr_assert(ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) == 0);
    bool is_there = true;
    for (unsigned i = 0; i < step && is_there; i++) {
        is_there = go_to_next_step(child);
    }
    if (is_there) {
        if (looks_before) { /* and the daemon does what it was asked for meanwhile */
            fixture_audit(&fixture);
        }
        cr_assert(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    }
    WAIT_UNTIL(is_alone());
    return is_there;
}

/* `check` is for what must be then, and makes it as it was before. */
static void kill_at_every_step(int (*of)(mb_client *own), void (*check)(void))
{
    life = of;
    is_done = mmap(NULL, sizeof *is_done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(is_done != MAP_FAILED);
    for (int looks_before = 0; looks_before < 2; looks_before++) {
        unsigned step = 1;
        *is_done = false;
        for (bool was_killed = true; was_killed; step++) {
            was_killed = kill_at(step, looks_before);
            check();
            fixture_audit(&fixture);
        }
        cr_expect(*is_done, "the last one did all of it");
        (void)fprintf(stderr, "killed at %u steps\n", step - 2);
        cr_expect_gt(step, STEPS_LEAST);
    }
    (void)munmap(is_done, sizeof *is_done);
}

/* ---- publishers ---- */

static unsigned whole_ones;

/* The name leads to a whole block with one of these values, or to none; the block goes. */
static void expect_whole_or_absent(int value, int other)
{
    mb_view *view = NULL;
    int result = mb_attach(client, "n", 0, &view);
    cr_assert(result == 0 || result == -ENOENT || result == -ESTALE, "%s", mb_last_error());
    if (result == 0) {
        cr_expect(view_is(view, value) || view_is(view, other));
        cr_expect(mb_view_close(view) == 0 && mb_unpublish(client, "n") == 0, "%s", mb_last_error());
        whole_ones++;
    }
    WAIT_UNTIL(used() == 0);
}

static int publish_for_session(mb_client *own)
{
    mb_block *block = NULL;
    int result = mb_block_create(own, BLOCK_BYTES, NULL, &block);
    if (result == 0) {
        memset(mb_block_data(block), NEW, BLOCK_BYTES);
        result = mb_block_publish(block, "n");
    }
    return result < 0 ? result : mb_block_free(block);
}

static void expect_absent(void)
{
    int result = attach_result(client, "n", 0);
    cr_assert(result == -ENOENT || result == -ESTALE, "the name is there with %d", result);
    WAIT_UNTIL(used() == 0);
}

Test(block_processes, a_publisher_that_is_killed_at_any_step_leaves_nothing)
{
    begin("");
    kill_at_every_step(publish_for_session, expect_absent);
    end();
}

static int publish_to_keep(mb_client *own)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    mb_block *block = NULL;
    options.lifetime = MB_LIFETIME_KEEP;
    options.replace = 1;
    int result = mb_block_create(own, BLOCK_BYTES, &options, &block);
    if (result == 0) {
        memset(mb_block_data(block), NEW, BLOCK_BYTES);
        result = mb_block_publish(block, "n");
    }
    return result < 0 ? result : mb_block_free(block);
}

static void expect_new_or_none(void)
{
    expect_whole_or_absent(NEW, NEW);
}

Test(block_processes, what_is_to_be_kept_is_whole_or_absent)
{
    begin("");
    kill_at_every_step(publish_to_keep, expect_new_or_none);
    cr_expect_gt(whole_ones, 2, "some died after it was published");
    end();
}

/* What the publisher would replace. */
static void publish_old(void)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.lifetime = MB_LIFETIME_KEEP;
    cr_expect_eq(mb_block_free(publish_with(client, "n", &options, OLD)), 0);
}

static unsigned news, olds;

static void expect_old_or_new(void)
{
    mb_view *view = attach(client, "n");
    bool is_new = view_is(view, NEW);
    cr_expect(is_new || view_is(view, OLD));
    news += is_new;
    olds += !is_new;
    WAIT_UNTIL(used() == BLOCK_BYTES); /* the other one is gone */
    cr_expect(mb_view_close(view) == 0 && mb_unpublish(client, "n") == 0);
    WAIT_UNTIL(used() == 0);
    publish_old();
}

Test(block_processes, a_name_that_is_being_replaced_leads_to_the_old_block_or_the_new_one)
{
    begin("");
    publish_old();
    kill_at_every_step(publish_to_keep, expect_old_or_new);
    cr_expect(news > 2 && olds > STEPS_LEAST, "%u had the new one, %u the old one", news, olds);
    cr_expect_eq(mb_unpublish(client, "n"), 0);
    end();
}

/* ---- readers ---- */

static int read_and_close(mb_client *own)
{
    mb_view *view = NULL;
    int result = mb_attach(own, "n", 0, &view);
    if (result == 0) {
        result = view_is(view, OLD) ? mb_view_close(view) : -EBADMSG;
    }
    return result;
}

static uint32_t views_of_n(void)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_BLOCKS}};
    struct reply reply;
    uint32_t views = UINT32_MAX;
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL) && fixture_exchange(fd, &request, &reply, NULL));
    cr_assert_eq(reply.kind, REPLY_LISTING);
    for (size_t i = 0; i < reply.listing.block_count; i++) {
        views = strcmp(reply.listing.blocks[i].name, "n") == 0 ? reply.listing.blocks[i].views : views;
    }
    (void)close(fd);
    return views;
}

static void expect_untouched(void)
{
    cr_expect_eq(views_of_n(), 1, "the publisher's is left");
    cr_expect_eq(used(), BLOCK_BYTES);
    mb_view *view = attach(client, "n");
    cr_expect(view_is(view, OLD) && mb_view_close(view) == 0);
}

Test(block_processes, a_reader_that_is_killed_at_any_step_leaves_the_block_as_it_was)
{
    begin("");
    mb_block *block = publish(client, "n", OLD);
    kill_at_every_step(read_and_close, expect_untouched);
    cr_expect(is_filled(mb_block_data(block), BLOCK_BYTES, OLD) && mb_block_free(block) == 0);
    WAIT_UNTIL(used() == 0);
    end();
}

static int wait_in_vain(mb_client *own)
{
    mb_view *view = NULL;
    int result = 0;
    for (int i = 0; i < 4 && result == 0; i++) {
        result = mb_attach(own, "n", 5, &view) == -ESTALE ? 0 : -EBADMSG;
    }
    return result;
}

/* Nobody waits for it any more. */
static void expect_no_view(void)
{
    mb_block *block = publish(client, "n", OLD);
    cr_expect_eq(views_of_n(), 1);
    mb_unpublish(client, "n");
    cr_expect_eq(mb_block_free(block), 0);
    WAIT_UNTIL(used() == 0);
}

Test(block_processes, a_reader_that_is_killed_while_it_waits_gets_no_view)
{
    begin("");
    mb_block *block = publish(client, "n", OLD); /* so that all that follow end the same way */
    cr_expect(mb_unpublish(client, "n") == 0 && mb_block_free(block) == 0);
    kill_at_every_step(wait_in_vain, expect_no_view);
    end();
}
