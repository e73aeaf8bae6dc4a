/* SPDX-License-Identifier: Apache-2.0 */
/* broker_check() notices each invariant of reservations that is broken by hand. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/check.h"
#include "tests/unit/core/noticed.h"
#include "tests/unit/core/shell_model.h"

#define MIB UINT64_C(1048576)

TestSuite(check_reservations);

static struct model *model;
static struct broker *broker;

/* Two reservations, of which the second was given up and has a lease that is being made. */
static void begin_with_reservations(void)
{
    static const char *const paths[] = {"/a", "/b", "/c"};
    struct request request = {.id = 1000, .kind = REQUEST_RESERVE};
    const struct input input = {
        .kind = INPUT_REQUEST, .peer = (void *)(uintptr_t)MODEL_PEERS, .request.request = &request};
    model = model_new(0, 512 * MIB, 512 * MIB);
    broker = model->broker;
    request.reserve = (struct reserve_request){.terms = {.name = "first", .bytes = MIB}, .groups = {paths, 2}};
    model_feed(model, &input);
    request.reserve = (struct reserve_request){.terms = {.name = "second", .bytes = MIB}, .groups = {paths + 2, 1}};
    model_feed(model, &input);
    model_open_in(model, 0, "in", "/c\n");
    model->hold_makes = true;
    cr_assert_null(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    request = (struct request){.id = 1001, .kind = REQUEST_UNRESERVE, .unreserve = {"second"}};
    model_feed(model, &input);
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
}

static void end(void)
{
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
    model_free(model);
}

Test(check_reservations, tables, .init = begin_with_reservations, .fini = end)
{
    struct reservation *first = TAILQ_FIRST(&broker->reservations.list), *second = TAILQ_NEXT(first, in_table);
    struct principal *class = TAILQ_FIRST(&broker->principals.principals[PRINCIPAL_CLASS]);
    char *path = first->groups.paths[1], *last_path = second->groups.paths[0];
    cr_assert(second && strcmp(class->name, "first") == 0);
    EXPECT_NOTICED_BY(check_reservations, class->is_named, false, "has no class");
    EXPECT_NOTICED_BY(check_reservations, class->account.reserve_bytes, 1, "another guarantee");
    EXPECT_NOTICED_BY(check_reservations, class->account.limits.max_physical_bytes, 1, "is not what is guaranteed");
    struct principal *other = class;
    class = TAILQ_NEXT(class, in_table);
    EXPECT_NOTICED_BY(check_reservations, class->quota.max_leases, 1, "may have leases");
    EXPECT_NOTICED(broker->reservations.is_draining, false, "are forgotten");
    EXPECT_NOTICED(first->path_bytes, 1, "the paths are miscounted");
    EXPECT_NOTICED_WHILE(second->groups.paths[0] = path, second->groups.paths[0] = last_path, "one control group");
    struct session *session = session_table_next(&broker->sessions, 0);
    EXPECT_NOTICED_BY(check_reservations, session->reason.pattern, path, "for another reason");
    EXPECT_NOTICED_BY(check_reservations, session->share->class, other, "is in another class");
    EXPECT_NOTICED(second->id, first->id, "in the order of their numbers");
    EXPECT_NOTICED(broker->reservations.next_expiry, 1, "expires first is not known");
    EXPECT_NOTICED(broker->reservations.count, 1, "the reservations are miscounted");
}

/* As a reservation would be if nobody had refused it. */
Test(check_reservations, too_many_control_groups, .init = begin_with_reservations, .fini = end)
{
    static char text[MESSAGE_PATH_BYTES_MAX], names[MESSAGE_PATHS_MAX][16];
    const char *paths[MESSAGE_PATHS_MAX] = {text};
    struct reservation *first = TAILQ_FIRST(&broker->reservations.list);
    memset(text, 'x', sizeof text - 1);
    cr_assert_eq(reservation_add_paths(first, &(struct control_group_list){paths, 1}), 0);
    cr_expect_str_eq(broker_check(broker), "a reservation has too many control groups");
    reservation_drop_paths(first, 2);
    for (size_t i = 0; i < MESSAGE_PATHS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "/p%zu", i);
        paths[i] = names[i];
    }
    cr_assert_eq(reservation_add_paths(first, &(struct control_group_list){paths, MESSAGE_PATHS_MAX}), 0);
    cr_expect_str_eq(broker_check(broker), "a reservation has too many control groups");
    reservation_drop_paths(first, 2);
}
