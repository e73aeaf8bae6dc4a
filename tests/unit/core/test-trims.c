/* SPDX-License-Identifier: Apache-2.0 */
/* Which sessions are asked to trim, how often, and that requests that only wait for a trim delay no other. */
#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

enum { SILENT = 24, LARGE = SILENT, ASKING, BYSTANDER };

/* Peers of class a (priority 0) hold 1 MiB each and don't answer; one of class c (priority 2) holds 24 MiB. */
static struct model *with_silent_holders(uint64_t free_bytes)
{
    struct model *model = sharing((SILENT + 24) * MIB + free_bytes);
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    for (int peer = 0; peer < SILENT; peer++) {
        model_open_as(model, peer, "a", 1 + (uint32_t)peer);
        granted(model_acquire(model, peer, MIB, LOCATION_RAM, 60000));
    }
    model_open_as(model, LARGE, "c", 100);
    model_open_as(model, ASKING, "b", 101);
    model_open_as(model, BYSTANDER, "b", 102);
    return model;
}

static void trim(struct model *model, int peer, uint64_t lease)
{
    struct request trimmed = {.kind = REQUEST_TRIMMED};
    model_release(model, peer, lease);
    (void)model_request(model, peer, &trimmed);
}

Test(trims, requests_that_only_wait_for_a_trim_delay_no_other)
{
    struct model *model = with_silent_holders(4 * MIB);
    size_t waited = 0;
    granted(model_acquire(model, LARGE, 20 * MIB, LOCATION_RAM, 60000));
    for (int i = 0; i < 20; i++) {
        bool waits = !model_acquire(model, ASKING, 30 * MIB, LOCATION_RAM, 0);
        uint64_t hopeless = model->next_request;
        model->hold_makes = true;
        cr_expect_null(model_acquire(model, BYSTANDER, MIB, LOCATION_RAM, 0));
        cr_expect_eq(model_existing(model, LOCATION_RAM), (SILENT + 21) * MIB, "it is being made in its own step");
        model->hold_makes = false;
        model_finish(model);
        model_release(model, BYSTANDER, granted(model_answer(model, model->next_request)));
        model_pass(model, 100);
        refused(model_answer(model, hopeless), ERROR_LIMIT);
        for (int peer = 0; peer <= BYSTANDER; peer++) {
            (void)model_renew(model, peer);
        }
        model_pass(model, 20000);
        waited += waits;
    }
    cr_expect(waited >= 5, "others were asked to trim for it: %zu", waited);
    model_free(model);
}

Test(trims, a_request_that_waits_still_claims_what_becomes_free)
{
    struct model *model = with_silent_holders(0);
    uint64_t lease = granted(model_acquire(model, LARGE, 24 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, ASKING, 30 * MIB, 60000));
    model_release(model, LARGE, lease);
    cr_expect_null(model_acquire(model, BYSTANDER, MIB, LOCATION_RAM, 0), "somebody is asked for it");
    model_pass(model, 100);
    refused(model_answer(model, model->next_request), ERROR_LIMIT);
    model_free(model);
}

Test(trims, many_silent_holders_do_not_hide_one_that_answers)
{
    struct model *model = with_silent_holders(0);
    uint64_t lease = granted(model_acquire(model, LARGE, 24 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, ASKING, 8 * MIB, 10000));
    uint64_t request = model->next_request;
    for (int i = 0; i < 36 && !model_events(model, LARGE, EVENT_TRIM); i++) {
        model_pass(model, 250);
    }
    cr_expect_eq(model_events(model, LARGE, EVENT_TRIM), 1, "it is asked once those of lower priority gave nothing");
    for (int peer = 0; peer < SILENT; peer++) {
        cr_expect_eq(model_events(model, peer, EVENT_TRIM), 1, "peer %d", peer);
    }
    trim(model, LARGE, lease);
    granted(model_answer(model, request));
    model_free(model);
}

Test(trims, if_low_priorities_cannot_give_enough_the_others_are_asked_immediately)
{
    struct model *model = with_silent_holders(0);
    uint64_t lease = granted(model_acquire(model, LARGE, 24 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire(model, ASKING, 20 * MIB, LOCATION_RAM, 0));
    uint64_t request = model->next_request;
    cr_expect_eq(model_events(model, LARGE, EVENT_TRIM), 1);
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 0, "one is enough");
    trim(model, LARGE, lease);
    granted(model_answer(model, request));
    model_free(model);
}

static size_t asked_in(struct model *model, int peer, uint64_t milliseconds)
{
    size_t before = model_events(model, peer, EVENT_TRIM);
    model_pass(model, milliseconds);
    return model_events(model, peer, EVENT_TRIM) - before;
}

Test(trims, a_silent_session_is_asked_less_and_less_often)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 3600));
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 3600));
    model->broker->options.settings.times.ttl_max_ms = 3600;
    const struct session *holder = session_table_find(&model->broker->sessions, model->peers[0].session);
    cr_expect_null(model_acquire_waiting(model, 1, 4 * MIB, 3600 * 1000));
    for (int i = 0; i < 10; i++) {
        (void)model_renew(model, 0);
        model_pass(model, 3000);
    }
    cr_expect_eq(holder->trims_vain, 4, "at about 0, 2, 6 and 14 s: %u", holder->trims_vain);
    for (int i = 0; i < 500; i++) {
        (void)model_renew(model, 0);
        model_pass(model, 3000);
    }
    uint32_t vain = holder->trims_vain;
    cr_expect(vain >= 25 && vain <= 32, "about once a minute: %u", vain);
    trim(model, 0, lease); /* by itself, and late */
    cr_expect_eq(holder->trims_vain, 0);
    (void)model_renew(model, 0);
    cr_expect_eq(asked_in(model, 0, 1500), 1, "soon again");
    model_free(model);
}

Test(trims, a_session_that_uses_all_it_holds_is_asked_last)
{
    struct model *model = model_new(0, 12 * MIB, 0);
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    for (int peer = 0; peer < 3; peer++) {
        model_open(model, peer, LIMIT_DEFAULT);
    }
    struct lease_use use = {granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000)), 8 * MIB};
    struct request renew = {.kind = REQUEST_RENEW, .renew = {&use, 1}};
    (void)model_request(model, 0, &renew);
    granted(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire(model, 2, 4 * MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_events(model, 1, EVENT_TRIM), 1);
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 0);
    use.used_bytes = MIB;
    (void)model_request(model, 0, &renew);
    model_pass(model, 5000);
    cr_expect_null(model_acquire(model, 2, 4 * MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 1, "now it could give more");
    model_release(model, 0, use.lease);
    model_free(model);
}
