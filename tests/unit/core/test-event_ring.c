/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of events against a model that keeps them in a list, and looks for the owner of the most each time. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/event_ring.h"
#include "tests/unit/core/exhaustion.h"

TestSuite(event_ring);

enum { ROOM = 37, OWNERS = 9 };

/* ---- the model: the events that are there, the oldest first ---- */

struct modelled {
    uint64_t number;
    uint32_t owner;
};

static struct modelled modelled[ROOM + 1];
static uint32_t modelled_count;

static uint32_t count_of(uint32_t owner)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < modelled_count; i++) {
        count += modelled[i].owner == owner;
    }
    return count;
}

static void model_remove(uint32_t owner)
{
    uint32_t at = 0;
    while (modelled[at].owner != owner) {
        at++;
    }
    memmove(&modelled[at], &modelled[at + 1], (modelled_count - at - 1) * sizeof *modelled);
    modelled_count--;
}

/* ---- both ---- */

static struct event_record records[ROOM];
static struct event_ring *ring;

static void begin(uint32_t room)
{
    memset(records, 0, sizeof records);
    modelled_count = 0;
    ring = event_ring_new(records, room);
    cr_assert(ring);
}

/* The owner who lost an event, if one did, is whoever the ring chose: the model checks that he had the most. */
static void add(uint32_t owner, uint32_t room)
{
    uint32_t before[OWNERS], most = 0;
    for (uint32_t i = 0; i < OWNERS; i++) {
        before[i] = count_of(i);
        most = before[i] > most ? before[i] : most;
    }
    const struct event_entry event = {.bytes = owner * 100, .count = 1};
    struct event_mark mark = event_ring_add(ring, owner, &event);
    for (uint32_t i = 0; modelled_count == room && i < OWNERS; i++) {
        uint32_t now = event_ring_count_of(ring, i) - (i == owner);
        if (now < before[i]) {
            cr_assert_eq(before[i], most, "an owner of %u events lost one, and another has %u", before[i], most);
            cr_assert(i == owner || before[owner] < most, "its own would have been as many");
            model_remove(i);
        }
    }
    cr_assert_lt(modelled_count, room);
    modelled[modelled_count++] = (struct modelled){mark.number, owner};
}

static void expect_same(void)
{
    uint32_t found = 0;
    cr_assert_null(event_ring_check(ring), "%s", event_ring_check(ring));
    cr_assert_eq(event_ring_count(ring), modelled_count);
    for (uint32_t place = event_ring_find(ring, 0); event_ring_has(ring, place); place++) {
        const struct event_entry *event = event_ring_look(ring, place);
        if (event) {
            cr_assert_eq(event->event, modelled[found].number);
            cr_assert_eq(event->event, event_ring_number(ring, place));
            cr_assert_eq(event->bytes, modelled[found].owner * 100);
            found++;
        }
    }
    cr_assert_eq(found, modelled_count);
}

/* A daemon that was killed leaves the records alone. */
static void restart(uint32_t room)
{
    ring = event_ring_free(ring);
    ring = event_ring_new(records, room);
    cr_assert(ring);
}

Test(event_ring, random_sequences_keep_the_order_and_are_fair)
{
    for (unsigned seed = 1; seed <= 40; seed++) {
        uint32_t room = 1 + seed % ROOM;
        srand(seed);
        begin(room);
        for (int i = 0; i < 600; i++) {
            uint32_t owner = rand() % 3 ? seed % OWNERS : (uint32_t)rand() % OWNERS; /* one of them floods */
            add(owner, room);
            expect_same();
            if (rand() % 50 == 0) {
                restart(room);
                expect_same();
            }
        }
        ring = event_ring_free(ring);
    }
    cr_expect_eq(exhaustion_live(), 0);
}

Test(event_ring, a_flood_takes_no_more_than_what_others_leave)
{
    begin(ROOM);
    for (uint32_t owner = 1; owner <= 4; owner++) {
        for (int i = 0; i < 7; i++) {
            add(owner, ROOM);
        }
    }
    for (int i = 0; i < 10000; i++) {
        const struct event_entry event = {.count = 1};
        (void)event_ring_add(ring, 0, &event);
    }
    for (uint32_t owner = 1; owner <= 4; owner++) {
        cr_expect_eq(event_ring_count_of(ring, owner), 7);
    }
    cr_expect_eq(event_ring_count_of(ring, 0), ROOM - 4 * 7);
    cr_expect_null(event_ring_check(ring));
    ring = event_ring_free(ring);
}

Test(event_ring, begins_after_any_number)
{
    begin(ROOM);
    for (uint32_t i = 0; i < 3 * ROOM; i++) {
        add(i % 2 ? 1 : i % OWNERS, ROOM);
    }
    for (uint64_t after = 0; after <= 3 * ROOM + 1; after++) {
        uint32_t place = event_ring_find(ring, after), wanted = 0;
        const struct event_entry *event = NULL;
        while (event_ring_has(ring, place) && !(event = event_ring_look(ring, place))) {
            place++;
        }
        while (wanted < modelled_count && modelled[wanted].number <= after) {
            wanted++;
        }
        cr_expect_eq(event ? event->event : 0, wanted < modelled_count ? modelled[wanted].number : 0);
    }
    ring = event_ring_free(ring);
}

Test(event_ring, an_event_may_be_changed_while_it_is_there)
{
    const struct event_entry event = {.count = 1};
    const struct event_mark nothing = {0};
    begin(2);
    struct event_mark mark = event_ring_add(ring, 5, &event);
    event_ring_at(ring, mark)->count++;
    restart(2);
    cr_expect_eq(event_ring_at(ring, mark)->count, 2);
    cr_expect_null(event_ring_at(ring, nothing));
    (void)event_ring_add(ring, 5, &event);
    (void)event_ring_add(ring, 5, &event);
    cr_expect_null(event_ring_at(ring, mark), "its record has another event now");
    ring = event_ring_free(ring);
}

/* Owners with the same key of the table. */
Test(event_ring, many_owners_have_an_event_each)
{
    const struct event_entry event = {.count = 1};
    begin(ROOM);
    for (uint32_t i = 0; i < 3 * ROOM; i++) {
        (void)event_ring_add(ring, i * 256, &event);
        cr_assert_null(event_ring_check(ring), "%s", event_ring_check(ring));
    }
    cr_expect_eq(event_ring_count(ring), ROOM);
    cr_expect_eq(event_ring_count_of(ring, (3 * ROOM - 1) * 256), 1);
    cr_expect_eq(event_ring_count_of(ring, 1), 0);
    ring = event_ring_free(ring);
}

Test(event_ring, takes_no_more_bytes_than_it_is_given)
{
    uint32_t room = event_ring_room(1048576);
    cr_expect(room > 1500 && room < 2500, "%u", room);
    cr_expect_leq((uint64_t)room * sizeof(struct event_record), 1048576);
    cr_expect_eq(event_ring_room(0), 0);
    cr_expect_null(event_ring_new(records, 0));
}

Test(event_ring, is_made_completely_or_not_at_all)
{
    int refused = -1;
    ring = NULL;
    for (long number = 1; !ring; number++, refused++) {
        exhaustion_arm(number);
        ring = event_ring_new(records, ROOM);
    }
    exhaustion_arm(0);
    cr_expect_eq(refused, 7);
    ring = event_ring_free(ring);
    cr_expect_eq(exhaustion_live(), 0);
}

/* What the daemon does when it is told to keep more, or less. */
Test(event_ring, another_ring_may_go_on_with_the_same_numbers)
{
    begin(4);
    event_ring_continue(ring, 100);
    event_ring_continue(ring, 50);
    add(3, 4);
    cr_expect_eq(modelled[0].number, 101);
    cr_expect_null(event_ring_check(ring));
    uint32_t place = event_ring_find(ring, 0);
    cr_expect_eq(event_ring_owner(ring, place), 3);
    cr_expect_eq(event_ring_number(ring, place), 101);
    ring = event_ring_free(ring);
    cr_expect_null(event_ring_free(NULL));
}

Test(event_ring, the_check_finds_what_is_wrong)
{
    const struct event_entry event = {.count = 1};
    begin(4);
    for (uint32_t i = 0; i < 4; i++) {
        (void)event_ring_add(ring, i / 2, &event);
    }
    cr_expect_null(event_ring_check(ring));
    records[1].owner = 7;
    cr_expect(event_ring_check(ring));
    records[1].owner = records[0].owner;
    cr_expect_null(event_ring_check(ring));
    uint64_t number = records[2].number;
    records[2].number = 99;
    cr_expect(event_ring_check(ring));
    records[2].number = number;
    cr_expect_null(event_ring_check(ring));
    ring = event_ring_free(ring);
}
