/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect, administer and see. */
#include "daemon/core/access.h"
#include "daemon/core/broker_state.h"
#include "tests/unit/core/shell_model.h"

#define MIB UINT64_C(1048576)

TestSuite(access);

enum { BROKER = 7, ALICE = 1001, BOB = 1002, STAFF = 100, GUESTS = 200 };

static const struct identity root = {.uid = 0}, broker_user = {.uid = BROKER}, alice = {.uid = ALICE, .gid = ALICE},
                             bob = {.uid = BOB, .gid = STAFF},
                             guest = {.uid = BOB, .gid = BOB, .group_count = 2, .groups = {1, GUESTS}},
                             many = {.uid = ALICE, .gid = ALICE, .has_more_groups = true};

Test(access, without_lists_everybody_may_connect_and_few_administer)
{
    const struct access none = {0};
    cr_expect(access_may_connect(&none, BROKER, &alice) && access_may_connect(&none, BROKER, &many));
    cr_expect(access_is_administrator(&none, BROKER, &root) && access_is_administrator(&none, BROKER, &broker_user));
    cr_expect_not(access_is_administrator(&none, BROKER, &alice));
    cr_expect(access_may_see(&none, BROKER, &alice, ALICE) && !access_may_see(&none, BROKER, &alice, BOB));
    cr_expect(access_may_see(&none, BROKER, &root, BOB));
}

Test(access, users_outside_the_allow_lists_are_rejected)
{
    const struct access users = {.allow_users = {2, {5, ALICE}}}, groups = {.allow_groups = {2, {5, STAFF}}};
    cr_expect(access_may_connect(&users, BROKER, &alice) && !access_may_connect(&users, BROKER, &bob));
    cr_expect(access_may_connect(&groups, BROKER, &bob) && !access_may_connect(&groups, BROKER, &alice));
    cr_expect(access_may_connect(&users, BROKER, &root) && access_may_connect(&users, BROKER, &broker_user));
}

Test(access, deny_lists_win)
{
    const struct access users = {.allow_users = {1, {ALICE}}, .deny_users = {2, {BOB, ALICE}}};
    const struct access groups = {.deny_groups = {3, {5, GUESTS, 6}}};
    cr_expect_not(access_may_connect(&users, BROKER, &alice) || access_may_connect(&users, BROKER, &bob));
    cr_expect(access_may_connect(&groups, BROKER, &alice) && !access_may_connect(&groups, BROKER, &guest));
    cr_expect_not(access_may_connect(&groups, BROKER, &many), "nobody can say that it is not in one of them");
    cr_expect(access_may_connect(&groups, BROKER, &root));
    const struct identity subordinate = {.uid = 500000, .has_owner = true, .owner = BOB};
    const struct access open_but_for_bob = {.deny_users = {1, {BOB}}};
    cr_expect_not(access_may_connect(&open_but_for_bob, BROKER, &subordinate), "its namespace's owner is denied");
}

Test(access, administrators_are_named_by_user_or_group)
{
    const struct access access = {.admin_users = {2, {5, ALICE}}, .admin_groups = {2, {6, STAFF}}};
    cr_expect(access_is_administrator(&access, BROKER, &alice) && access_is_administrator(&access, BROKER, &bob));
    cr_expect_not(access_is_administrator(&access, BROKER, &guest));
    const struct access open = {.see_all = true};
    cr_expect(access_may_see(&open, BROKER, &guest, ALICE));
}

/* ---- limits that a client brings ---- */

static struct byte_limits limits_of(struct hello_request hello)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct input open = {.kind = INPUT_OPEN_SESSION, .peer = (void *)1};
    open.open.hello = hello;
    model_feed(model, &open);
    struct byte_limits limits = session_table_find(&model->broker->sessions, model->peers[0].session)->account.limits;
    model_free(model);
    return limits;
}

Test(access, a_clients_own_limits_are_as_nd4js)
{
    struct hello_request hello = {
        .heap_bytes = LIMIT_DEFAULT, .max_bytes = LIMIT_DEFAULT, .max_physical_bytes = LIMIT_DEFAULT};
    cr_expect_eq(limits_of(hello).max_bytes, LIMIT_OFF);
    hello.heap_bytes = 0;
    cr_expect_eq(limits_of(hello).max_bytes, LIMIT_OFF);
    hello.heap_bytes = 3 * MIB;
    cr_expect_eq(limits_of(hello).max_bytes, 6 * MIB, "twice the heap");
    cr_expect_eq(limits_of(hello).max_physical_bytes, 6 * MIB, "the same");
    hello.max_bytes = 0;
    cr_expect_eq(limits_of(hello).max_bytes, LIMIT_OFF, "0 switches it off");
    hello.max_physical_bytes = MIB;
    cr_expect_eq(limits_of(hello).max_physical_bytes, MIB);
}

Test(access, a_broker_that_shuts_down_opens_no_session)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct input shutdown = {.kind = INPUT_SHUTDOWN};
    model->hold_frees = true;
    model_open(model, 1, LIMIT_DEFAULT);
    cr_assert(model_acquire(model, 1, MIB, LOCATION_RAM, 0)->kind == REPLY_GRANT);
    model_feed(model, &shutdown);
    struct input open = {.kind = INPUT_OPEN_SESSION, .peer = (void *)1, .open = {.request_id = 77}};
    model_feed(model, &open);
    cr_expect_eq(model->peers[0].session, 0);
    bool was_told = false;
    for (size_t i = 0; i < model->reply_count; i++) {
        was_told =
            was_told || (model->replies[i].kind == REPLY_ERROR && model->replies[i].error.code == ERROR_SHUTTING_DOWN);
    }
    cr_expect(was_told);
    model_finish(model);
    model_free(model);
}
