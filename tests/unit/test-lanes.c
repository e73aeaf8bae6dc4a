/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes: users take turns, and slow work of a user delays only that user. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "daemon/runtime/lanes.h"
#include "daemon/worker/backend.h"

TestSuite(lanes);

enum { MANY = 5000, USERS = 150, SMALL = 4096, LARGE = 64 << 20 };

static struct work works[MANY];

static void add(struct lanes *lanes, struct work *work, uint32_t user, enum job_kind kind, uint64_t bytes)
{
    *work = (struct work){.job = {.kind = kind, .bytes = bytes}, .user = user, .fd = -1};
    lanes_add(lanes, work);
}

static void add_named(struct lanes *lanes, struct work *work, uint32_t user, enum job_kind kind)
{
    *work = (struct work){.job = {.kind = kind, .backend = BACKEND_NAMED, .bytes = SMALL}, .user = user, .fd = -1};
    lanes_add(lanes, work);
}

static size_t length(struct work_queue *queue)
{
    const struct work *work;
    size_t count = 0;
    TAILQ_FOREACH(work, queue, in_queue) {
        count++;
    }
    return count;
}

/* What one worker gets, and begins; NULL: nothing. */
static struct lane *take(struct lanes *lanes, struct work_queue *queue)
{
    struct lane *lane = lanes_next(lanes);
    if (lane) {
        lane_take(lanes, lane, queue);
        lane_begin(lane);
    }
    return lane;
}

Test(lanes, users_take_turns_even_if_one_has_queued_much)
{
    struct lanes lanes;
    struct work_queue queue;
    lanes_init(&lanes);
    for (int i = 0; i < 100; i++) {
        add(&lanes, &works[i], 1, JOB_FREE, LARGE);
    }
    add(&lanes, &works[100], 2, JOB_FREE, LARGE);
    add(&lanes, &works[101], 3, JOB_FREE, LARGE);
    uint32_t seen[3];
    for (int i = 0; i < 3; i++) {
        struct lane *lane = take(&lanes, &queue);
        cr_assert(lane && length(&queue) == 1);
        seen[i] = (uint32_t)(lane->key >> 1);
        lane_end(&lanes, lane, false);
    }
    cr_expect(seen[0] == 1 && seen[1] == 2 && seen[2] == 3);
    cr_expect_eq(lanes.queued, 99);
    lanes_deinit(&lanes);
}

Test(lanes, small_jobs_are_sent_together_and_a_large_one_alone)
{
    struct lanes lanes;
    struct work_queue queue;
    lanes_init(&lanes);
    for (int i = 0; i < JOBS_PER_PACKET + 10; i++) {
        add(&lanes, &works[i], 1, i % 2 ? JOB_FREE : JOB_LOOK, SMALL);
    }
    add(&lanes, &works[200], 1, JOB_FREE, LARGE);
    add(&lanes, &works[201], 1, JOB_FREE, SMALL);
    add(&lanes, &works[202], 1, JOB_MAKE, SMALL);
    static const size_t expected[] = {JOBS_PER_PACKET, 10, 1, 1, 1};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct lane *lane = take(&lanes, &queue);
        cr_assert(lane);
        cr_expect_eq(length(&queue), expected[i], "packet %zu has %zu", i, length(&queue));
        lane_end(&lanes, lane, false);
    }
    cr_expect_null(lanes_next(&lanes));
    cr_expect(RB_EMPTY(&lanes.lanes), "an idle lane is forgotten");
    lanes_deinit(&lanes);
}

Test(lanes, work_that_was_put_back_is_first_again_and_in_order)
{
    struct lanes lanes;
    struct work_queue queue;
    lanes_init(&lanes);
    for (int i = 0; i < 10; i++) {
        add(&lanes, &works[i], 1, JOB_FREE, SMALL);
    }
    struct lane *lane = take(&lanes, &queue);
    add(&lanes, &works[10], 1, JOB_FREE, SMALL);
    lane_put_back(&lanes, lane, &queue);
    lane_end(&lanes, lane, false);
    cr_assert_eq(take(&lanes, &queue), lane);
    int i = 0;
    const struct work *work;
    TAILQ_FOREACH(work, &queue, in_queue) {
        cr_expect_eq(work, &works[i++]);
    }
    cr_expect_eq(i, 11);
    lane_end(&lanes, lane, false);
    lanes_deinit(&lanes);
}

Test(lanes, slow_work_of_a_user_delays_only_that_user)
{
    struct lanes lanes;
    struct work_queue queue;
    struct lane *slow[SLOW_WORKERS_OF_ONE_USER];
    lanes_init(&lanes);
    for (int i = 0; i < 10; i++) {
        add(&lanes, &works[i], 1, JOB_FREE, LARGE);
    }
    for (int i = 0; i < SLOW_WORKERS_OF_ONE_USER; i++) {
        cr_assert(!lanes_is_held_up(&lanes, 1, false));
        slow[i] = take(&lanes, &queue);
        cr_assert_not_null(slow[i]);
        lane_slow(&lanes, slow[i]);
    }
    cr_expect(lanes_is_held_up(&lanes, 1, false));
    cr_expect_null(lanes_next(&lanes), "four of its jobs are slow: the rest waits");
    add(&lanes, &works[10], 2, JOB_FREE, LARGE);
    struct lane *other = take(&lanes, &queue);
    cr_assert(other && other->key >> 1 == 2);
    lane_end(&lanes, other, false);
    lane_end(&lanes, slow[0], true);
    cr_expect(lanes_next(&lanes) == slow[1], "one came back: the next may begin");
    lanes_deinit(&lanes);
}

/* Whatever they do, there is room for a user without slow work. */
Test(lanes, the_more_work_is_slow_the_fewer_workers_one_user_may_occupy)
{
    struct lanes lanes;
    struct work_queue queue;
    struct lane *lane;
    unsigned begun = 0;
    lanes_init(&lanes);
    for (unsigned i = 0; i < USERS * 10; i++) {
        add(&lanes, &works[i], i % USERS + 1, JOB_FREE, LARGE);
    }
    while ((lane = take(&lanes, &queue))) {
        lane_slow(&lanes, lane);
        begun++;
    }
    cr_expect_eq(begun, USERS, "each has one, and none has more: %u", begun);
    add(&lanes, &works[USERS * 10], 1000, JOB_FREE, LARGE);
    lane = lanes_next(&lanes);
    cr_expect(lane && lane->key >> 1 == 1000);
    lanes_deinit(&lanes);
}

Test(lanes, excess_checks_are_not_queued)
{
    struct lanes lanes;
    lanes_init(&lanes);
    int queued = 0;
    while (queued < MANY && !lanes_is_held_up(&lanes, 1, false)) {
        add(&lanes, &works[queued++], 1, JOB_LOOK, 0);
    }
    cr_expect(queued > 1000 && queued < MANY, "%d", queued);
    lanes_deinit(&lanes);
}

/* Has all work begun that may, and none of it end. Returns how much that is. */
static unsigned stick_all(struct lanes *lanes)
{
    struct work_queue queue;
    struct lane *lane;
    unsigned stuck = 0;
    for (; (lane = take(lanes, &queue)); stuck++) {
        lane_slow(lanes, lane);
    }
    return stuck;
}

/* Each can hold files of its own there. */
Test(lanes, two_users_leave_workers_for_others_named_files)
{
    struct lanes lanes;
    lanes_init(&lanes);
    for (unsigned i = 0; i < 40; i++) {
        add_named(&lanes, &works[i], i % 2 + 1, JOB_MAKE);
    }
    unsigned stuck = stick_all(&lanes);
    cr_expect(stuck >= 2 && stuck <= 4, "%u", stuck);
    cr_expect_not(lanes_is_held_up(&lanes, 77, true));
    lanes_deinit(&lanes);
}

/* A user who can list the directory can hold its lock; the users who wait for it are not at fault. */
Test(lanes, named_files_that_wait_for_their_directory_delay_nothing_else)
{
    struct lanes lanes;
    struct work_queue queue;
    struct lane *lane;
    lanes_init(&lanes);
    for (unsigned i = 0; i < 80; i++) {
        add_named(&lanes, &works[i], i % 40 + 1, i % 2 ? JOB_MEASURE : JOB_MAKE);
    }
    unsigned stuck = stick_all(&lanes);
    cr_expect_eq(stuck, SLOW_WORKERS_IN_DIRECTORY, "of all users together: %u", stuck);
    cr_expect(lanes_is_held_up(&lanes, 1, true) && lanes_is_held_up(&lanes, 77, true));
    cr_expect(!lanes_is_held_up(&lanes, 1, false));
    add(&lanes, &works[80], 1, JOB_FREE, SMALL);
    lane = take(&lanes, &queue);
    cr_expect(lane && !lane->is_directory, "the same user's memory is freed");
    lanes_deinit(&lanes);
}

static void add_patient(struct lanes *lanes, struct work *work, uint64_t bytes)
{
    *work = (struct work){.job = {.kind = JOB_FREE, .bytes = bytes}, .user = 1, .fd = -1, .can_wait = true};
    lanes_add(lanes, work);
}

Test(lanes, little_that_can_wait_is_told_from_much_and_from_what_cannot)
{
    enum { ENOUGH = 32 };
    struct lanes lanes;
    struct work_queue queue;
    lanes_init(&lanes);
    for (int i = 0; i < ENOUGH; i++) {
        cr_expect(lanes_can_wait(&lanes), "%d are queued", i);
        add_patient(&lanes, &works[i], SMALL);
    }
    cr_expect_not(lanes_can_wait(&lanes), "enough for a packet");
    struct lane *lane = take(&lanes, &queue);
    cr_expect_eq(length(&queue), ENOUGH, "one packet takes all");
    cr_expect(lanes_can_wait(&lanes), "nothing is queued");
    lane_put_back(&lanes, lane, &queue);
    cr_expect_not(lanes_can_wait(&lanes), "it has waited before");
    lane_take(&lanes, lane, &queue);
    add_patient(&lanes, &works[ENOUGH], LARGE);
    cr_expect_not(lanes_can_wait(&lanes), "many bytes");
    lane_take(&lanes, lane, &queue);
    add_patient(&lanes, &works[0], SMALL);
    add(&lanes, &works[1], 2, JOB_LOOK, SMALL);
    cr_expect_not(lanes_can_wait(&lanes), "one of them can't");
    lanes_deinit(&lanes);
}
