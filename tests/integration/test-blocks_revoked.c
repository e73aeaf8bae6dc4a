/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views that are revoked under 3,000 reads at once: whoever read a byte that was not the block's is told by
 * mb_view_check(). All stop in the middle of a read. A batch of them at a time goes on, and its views are revoked then:
 * 3,000 busy threads would starve the tests beside this one.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "tests/integration/blocks.h"

TestSuite(block_readers, .timeout = 300);

/* The last view of a block takes the bytes along. */
enum {
    PROCESSES = 6,
    THREADS = 500,
    VIEWS = PROCESSES * THREADS,
    VIEWS_EACH = 2,
    BLOCKS = VIEWS / VIEWS_EACH,
    BATCH = 100,
    PAGES = 4,
    PAGE_BYTES = 4096,
    STACK_BYTES = 256 << 10,
};

/* What all processes see. */
static struct shared {
    _Atomic uint64_t leases[VIEWS]; /* of the views; 0: not attached yet */
    atomic_uint processes, reading; /* begun; threads in the middle of their first read */
    sem_t may_go_on[VIEWS / BATCH];
    atomic_uint gone_on;
    atomic_ulong reads, told, struck, untold;
    atomic_uint failures;
} * shared;

static mb_client *reader;

static void block_name(char name[16], int number)
{
    (void)snprintf(name, 16, "n%d", number);
}

static unsigned char value_of(int block)
{
    return (unsigned char)(1 + block % 250);
}

/* ---- reading ---- */

static bool is_page_whole(const unsigned char *page, unsigned char value)
{
    for (size_t i = 0; i < PAGE_BYTES; i++) {
        if (((const volatile unsigned char *)page)[i] != value) {
            return false; /* at once: the check is to come as soon after the byte as it can */
        }
    }
    return true;
}

/* In the middle of the first read of each thread, until its views are to be revoked. */
static void meet(int number)
{
    shared->reading++;
    while (sem_wait(&shared->may_go_on[number / BATCH]) < 0) {
    }
    shared->gone_on++;
}

/* False: the view is lost. */
static bool read_once(const mb_view *view, int number, bool is_first)
{
    const unsigned char *data = mb_view_data(view, NULL);
    int whole = 0;
    for (; whole < PAGES && is_page_whole(data + (size_t)whole * PAGE_BYTES, value_of(number % BLOCKS)); whole++) {
        if (is_first && whole == PAGES / 2) {
            meet(number);
        }
        (void)sched_yield();
    }
    bool is_said_whole = mb_view_check(view) == 0;
    shared->reads++;
    shared->struck += whole > 0 && whole < PAGES;
    shared->untold += whole < PAGES && is_said_whole;
    shared->told += !is_said_whole;
    return is_said_whole && whole == PAGES;
}

static void *read_until_lost(void *argument)
{
    int number = (int)(intptr_t)argument;
    char name[16];
    mb_view *view = NULL;
    block_name(name, number % BLOCKS);
    if (mb_attach(reader, name, 0, &view) < 0) {
        (void)fprintf(stderr, "%s: %s\n", name, mb_last_error());
        shared->failures++;
        return NULL;
    }
    shared->leases[number] = mb_lease_id(mb_view_lease(view));
    bool is_first = true;
    while (read_once(view, number, is_first)) {
        is_first = false;
    }
    shared->failures += mb_view_close(view) != -ESTALE;
    return NULL;
}

static int read_all(const struct fixture *of)
{
    pthread_t threads[THREADS];
    pthread_attr_t small;
    int first = (int)atomic_fetch_add(&shared->processes, 1) * THREADS, begun = 0;
    reader = fixture_connect(of, MB_CLIENT_GUARD);
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, STACK_BYTES);
    while (begun < THREADS &&
           pthread_create(&threads[begun], &small, read_until_lost, (void *)(intptr_t)(first + begun)) == 0) {
        begun++;
    }
    shared->failures += THREADS - begun;
    for (int i = 0; i < begun; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    mb_disconnect(reader);
    return 0;
}

/* ---- publishing and revoking ---- */

static void publish_all(void)
{
    char name[16];
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    options.lifetime = MB_LIFETIME_KEEP;
    for (int i = 0; i < BLOCKS; i++) {
        mb_block *block = NULL;
        cr_assert(mb_block_create(client, PAGES * PAGE_BYTES, &options, &block) == 0, "%s", mb_last_error());
        memset(mb_block_data(block), value_of(i), PAGES * PAGE_BYTES);
        block_name(name, i);
        cr_assert(mb_block_publish(block, name) == 0, "%s", mb_last_error());
        cr_assert_eq(mb_block_free(block), 0);
    }
}

/* Only the views keep the bytes from now on. */
static void unpublish_all(void)
{
    char name[16];
    for (int i = 0; i < BLOCKS; i++) {
        block_name(name, i);
        cr_assert(mb_unpublish(client, name) == 0, "%s", mb_last_error());
    }
}

static void revoke_all(void)
{
    struct reply reply;
    int socket = fixture_socket(&fixture);
    cr_assert(fixture_hello(socket, true, &reply, NULL));
    for (unsigned i = 0; i < VIEWS; i++) {
        for (int woken = 0; i % BATCH == 0 && woken < BATCH; woken++) {
            (void)sem_post(&shared->may_go_on[i / BATCH]);
        }
        WAIT_UNTIL(shared->gone_on >= i / BATCH * BATCH + BATCH);
        struct request request = {.kind = REQUEST_REVOKE, .revoke_lease = shared->leases[i]};
        cr_assert(fixture_exchange(socket, &request, &reply, NULL), "the daemon hung up");
        cr_expect_eq(reply.kind, REPLY_DONE, "view %u: %s", i, reply.error.sentence);
    }
    (void)close(socket);
}

static bool all_are_reading(void)
{
    return shared->failures > 0 || shared->reading == VIEWS;
}

Test(block_readers, no_revocation_under_3000_reads_is_untold)
{
    pid_t children[PROCESSES];
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(shared != MAP_FAILED);
    for (int i = 0; i < VIEWS / BATCH; i++) {
        cr_assert_eq(sem_init(&shared->may_go_on[i], 1, 0), 0);
    }
    begin("[sharing]\nmax_blocks = 10000\nmax_views = 10000\n");
    publish_all();
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fixture_fork(read_all, &fixture);
    }
    for (int waited_ms = 0; !all_are_reading() && waited_ms < 120000; waited_ms += 10) {
        sleep_ms(10);
    }
    cr_assert(shared->reading == VIEWS && shared->failures == 0, "%u of %d read; %u failed", shared->reading, VIEWS,
              shared->failures);
    unpublish_all();
    cr_expect_eq(used(), (uint64_t)BLOCKS * PAGES * PAGE_BYTES, "the views keep the bytes");
    revoke_all();
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        cr_assert(waitpid(children[i], &status, 0) == children[i]);
        cr_expect_eq(status, 0);
    }
    cr_expect_eq(shared->untold, 0, "%lu of %lu reads with wrong bytes were called whole", shared->untold,
                 shared->struck);
    cr_expect_eq(shared->told, VIEWS, "each revocation is told once");
    cr_expect_gt(shared->struck, BLOCKS / 20, "bytes went in the middle of %lu reads only", shared->struck);
    cr_expect_eq(shared->failures, 0);
    (void)fprintf(stderr, "%lu reads, %lu lost, %lu of them saw the bytes go\n", shared->reads, shared->told,
                  shared->struck);
    WAIT_UNTIL(used() == 0);
    end();
}
