/* SPDX-License-Identifier: Apache-2.0 */
/* Of the threads that wait for answers, one is to read. */
#include <criterion/criterion.h>

#include "client/client.h"

TestSuite(calls);

static mb_client client;

/* A call whose thread sleeps. */
static void begin(struct call *call)
{
    waiter_prepare(&call->waiter);
    TAILQ_INSERT_TAIL(&client.calls.sent, call, in_client);
}

Test(calls, the_newest_thread_is_called_to_read)
{
    static struct call older, newer;
    calls_init(&client.calls);
    begin(&older);
    begin(&newer);
    calls_hand_over(&client);
    cr_expect(waiter_is_asleep(&older.waiter) && !waiter_is_asleep(&newer.waiter));
}

Test(calls, nobody_is_called_while_a_thread_reads)
{
    static struct call call;
    calls_init(&client.calls);
    begin(&call);
    client.link.is_reading = true;
    calls_hand_over(&client);
    cr_expect(waiter_is_asleep(&call.waiter));
}

/* Whoever dispatches may take the answer of the thread that was just called; that thread then reads nothing. */
Test(calls, another_thread_reads_if_the_one_that_was_called_has_its_answer)
{
    static struct call older, newer;
    calls_init(&client.calls);
    begin(&older);
    begin(&newer);
    calls_hand_over(&client);
    calls_finish(&client, &newer, 0, "");
    calls_wake_now(&client);
    cr_expect(waiter_is_done(&newer.waiter));
    cr_expect_not(waiter_is_asleep(&older.waiter), "it was called");
}

Test(calls, an_answer_for_a_thread_that_was_not_called_calls_nobody)
{
    static struct call older, newer;
    calls_init(&client.calls);
    begin(&older);
    begin(&newer);
    calls_finish(&client, &newer, 0, "");
    calls_wake_now(&client);
    cr_expect(waiter_is_asleep(&older.waiter));
}
