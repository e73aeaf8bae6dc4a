/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger alone: what a refusal names, what is held back, and that every number returns to 0. */
#include "daemon/core/ledger.h"

#include <criterion/criterion.h>

TestSuite(ledger);

static const struct byte_limits off = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};

static struct account_list reserves;
static struct account host, middle, client;

/* A client account, below another account, below the host. */
static void begin(const struct byte_limits *of_host, const struct byte_limits *of_middle,
                  const struct byte_limits *of_client)
{
    struct account *const above_middle[ACCOUNT_ABOVE_MAX] = {NULL};
    struct account *const above_client[ACCOUNT_ABOVE_MAX] = {&middle, [ACCOUNT_ABOVE_MAX - 1] = &host};
    LIST_INIT(&reserves);
    account_init(&host, "host", of_host);
    host.reserves = &reserves;
    account_init(&middle, "middle", of_middle);
    account_init(&client, "client", of_client);
    account_move(&middle, above_middle);
    account_move(&client, above_client);
}

static struct ledger_excess excess_of(enum location location, uint64_t bytes)
{
    struct charge charge;
    struct ledger_excess excess = {0};
    cr_assert_eq(ledger_reserve(&client, location, bytes, &charge, &excess), LEDGER_E_LIMIT);
    return excess;
}

static struct charge charge_of(enum location location, uint64_t bytes)
{
    struct charge charge;
    struct ledger_excess excess;
    cr_assert_eq(ledger_reserve(&client, location, bytes, &charge, &excess), 0);
    return charge;
}

/* Claims in RAM up to one account, in files up to another; NULL: nothing there. */
static void claim_up_to(struct account *account, const struct account *in_ram, const struct account *in_files,
                        uint64_t bytes)
{
    const struct account *const up_to[LOCATIONS] = {[LOCATION_RAM] = in_ram, [LOCATION_MMAP] = in_files};
    ledger_claim(account, up_to, bytes);
}

Test(ledger, a_refusal_names_the_limit_with_the_least_room)
{
    begin(&(struct byte_limits){100, 90, 80}, &(struct byte_limits){70, LIMIT_OFF, LIMIT_OFF},
          &(struct byte_limits){200, 60, LIMIT_OFF});
    struct ledger_excess excess = excess_of(LOCATION_RAM, 95);
    cr_expect_eq(excess.account, &client);
    cr_expect_eq(excess.limit, LEDGER_MAX_PHYSICAL_BYTES);
    cr_expect_eq(excess.limit_bytes, 60);
    cr_expect_eq(excess.asked_bytes, 95);
    cr_expect_not(excess.is_hosts_alone);
    cr_expect_not(excess.fits_ever);
    excess = excess_of(LOCATION_MMAP, 95);
    cr_expect_eq(excess.account, &middle);
    cr_expect_eq(excess.limit, LEDGER_MAX_BYTES);
    struct charge charge = charge_of(LOCATION_MMAP, 50);
    excess = excess_of(LOCATION_MMAP, 35);
    cr_expect_eq(excess.account, &middle, "20 of 70 are free, and 30 of the host's 80");
    cr_expect_eq(excess.used_bytes, 50);
    cr_expect(excess.fits_ever);
    charge_release(&charge);
}

Test(ledger, a_limit_that_the_request_never_fits_is_named_before_one_that_is_used_up)
{
    begin(&(struct byte_limits){LIMIT_OFF, 100, LIMIT_OFF}, &off, &(struct byte_limits){LIMIT_OFF, 70, LIMIT_OFF});
    struct charge charge;
    struct ledger_excess excess;
    cr_assert_eq(ledger_reserve(&host, LOCATION_RAM, 100, &charge, &excess), 0);
    excess = excess_of(LOCATION_RAM, 80);
    cr_expect_eq(excess.account, &client, "the host is full, but it has room for 80 once it is not");
    cr_expect_not(excess.fits_ever);
    cr_expect_eq(excess_of(LOCATION_RAM, 60).account, &host);
    charge_release(&charge);
    begin(&(struct byte_limits){LIMIT_OFF, 70, LIMIT_OFF}, &off, &(struct byte_limits){LIMIT_OFF, 100, LIMIT_OFF});
    charge = charge_of(LOCATION_RAM, 50);
    cr_expect_eq(excess_of(LOCATION_RAM, 80).account, &host);
    charge_release(&charge);
}

Test(ledger, the_host_is_named_if_its_limit_is_the_tightest)
{
    begin(&(struct byte_limits){100, 40, LIMIT_OFF}, &off, &(struct byte_limits){60, LIMIT_OFF, LIMIT_OFF});
    struct ledger_excess excess = excess_of(LOCATION_RAM, 70);
    cr_expect_eq(excess.account, &host);
    cr_expect_eq(excess.limit, LEDGER_MAX_PHYSICAL_BYTES);
    cr_expect_not(excess.is_hosts_alone, "the client's own limit is in the way too");
    cr_expect(excess_of(LOCATION_RAM, 50).is_hosts_alone);
    cr_expect_not(excess_of(LOCATION_RAM, 41).fits_ever);
    struct charge charge = charge_of(LOCATION_RAM, 40);
    cr_expect(excess_of(LOCATION_RAM, 1).fits_ever);
    cr_expect_not(excess_of(LOCATION_RAM, 1).frees_suffice, "nothing is being freed");
    charge_begin_free(&charge);
    charge_begin_free(&charge);
    cr_expect_eq(ledger_counted(host.freeing, LEDGER_MAX_PHYSICAL_BYTES), 40, "once, however often it is said");
    cr_expect_eq(ledger_counted(host.freeing, LEDGER_MAX_BYTES), 40);
    cr_expect_eq(ledger_counted(host.freeing, LEDGER_MAX_MAPPED_BYTES), 0);
    cr_expect_eq(account_held(&client), 0);
    cr_expect(excess_of(LOCATION_RAM, 40).frees_suffice);
    cr_expect_not(excess_of(LOCATION_RAM, 41).frees_suffice);
    cr_expect_not(excess_of(LOCATION_RAM, 61).frees_suffice, "the client's limit frees nothing");
    charge_release(&charge);
    cr_expect_null(charge.account, "nothing is charged any more");
    cr_expect_eq(charge.bytes, 0);
}

Test(ledger, each_location_is_counted_in_its_accounts)
{
    begin(&off, &off, &off);
    struct charge ram = charge_of(LOCATION_RAM, 5), file = charge_of(LOCATION_MMAP, 7);
    const struct account *const accounts[] = {&client, &middle, &host};
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(account_used(accounts[i], LEDGER_MAX_BYTES), 12);
        cr_expect_eq(account_used(accounts[i], LEDGER_MAX_PHYSICAL_BYTES), 5);
        cr_expect_eq(account_used(accounts[i], LEDGER_MAX_MAPPED_BYTES), 7);
        cr_expect_eq(account_held(accounts[i]), 12);
        cr_expect_eq(accounts[i]->charges, 2);
    }
    ledger_revoke(&client, LOCATION_RAM, 3, true);
    ledger_revoke(&client, LOCATION_MMAP, 4, true);
    cr_expect_eq(ledger_counted(host.revoking, LEDGER_MAX_BYTES), 7);
    cr_expect_eq(ledger_counted(host.revoking, LEDGER_MAX_PHYSICAL_BYTES), 3);
    cr_expect_eq(ledger_counted(middle.revoking, LEDGER_MAX_MAPPED_BYTES), 4);
    charge_begin_free(&file);
    charge_reduce(&file, 6);
    cr_expect_eq(account_used(&host, LEDGER_MAX_MAPPED_BYTES), 6);
    cr_expect_eq(ledger_counted(host.freeing, LEDGER_MAX_MAPPED_BYTES), 6, "it is being freed still");
    charge_reduce(&ram, 2);
    cr_expect_eq(ledger_counted(host.freeing, LEDGER_MAX_PHYSICAL_BYTES), 0);
    /* the account goes elsewhere, and takes all of that with it */
    struct account *const nothing[ACCOUNT_ABOVE_MAX] = {NULL};
    struct account *const above[ACCOUNT_ABOVE_MAX] = {[1] = &middle};
    account_move(&client, nothing);
    cr_expect_eq(account_used(&host, LEDGER_MAX_BYTES) + account_used(&middle, LEDGER_MAX_BYTES), 0);
    cr_expect_eq(ledger_counted(host.freeing, LEDGER_MAX_BYTES) + ledger_counted(host.revoking, LEDGER_MAX_BYTES), 0);
    cr_expect_eq(host.charges + middle.charges, 0);
    account_move(&client, above);
    cr_expect_eq(account_used(&middle, LEDGER_MAX_BYTES), 8);
    cr_expect_eq(ledger_counted(middle.freeing, LEDGER_MAX_MAPPED_BYTES), 6);
    cr_expect_eq(ledger_counted(middle.revoking, LEDGER_MAX_MAPPED_BYTES), 4);
    cr_expect_eq(middle.charges, 2);
    cr_expect(account_is_descendant_of(&client, &middle) && account_is_descendant_of(&client, &client));
    cr_expect_not(account_is_descendant_of(&client, &host));
    ledger_revoke(&client, LOCATION_RAM, 3, false);
    ledger_revoke(&client, LOCATION_MMAP, 4, false);
    charge_release(&ram);
    charge_release(&file);
    cr_expect_eq(ledger_counted(middle.revoking, LEDGER_MAX_BYTES) + account_used(&middle, LEDGER_MAX_BYTES), 0);
    account_deinit(&client);
    account_deinit(&middle);
}

Test(ledger, a_limit_that_is_off_is_too_small_to_overflow)
{
    begin(&off, &off, &off);
    struct charge charge = charge_of(LOCATION_RAM, UINT64_MAX / 4);
    cr_expect_eq(excess_of(LOCATION_RAM, 1).used_bytes, UINT64_MAX / 4);
    charge_release(&charge);
    cr_expect_eq(account_limit(&client, LEDGER_MAX_BYTES), LIMIT_OFF);
}

/* Reserves of two accounts; the client belongs to one of them. */
Test(ledger, reserves_of_others_are_held_back_from_ram)
{
    struct account other;
    begin(&(struct byte_limits){100, 100, 100}, &off, &off);
    account_init(&other, "other", &off);
    account_set_reserve(&other, &host, 30);
    account_set_reserve(&middle, &host, 20);
    cr_expect_eq(account_held_back(&host, &client, LEDGER_MAX_PHYSICAL_BYTES), 30);
    cr_expect_eq(account_held_back(&host, &client, LEDGER_MAX_BYTES), 30);
    cr_expect_eq(account_held_back(&host, &client, LEDGER_MAX_MAPPED_BYTES), 0);
    cr_expect_eq(account_held_back(&host, &other, LEDGER_MAX_PHYSICAL_BYTES), 20);
    cr_expect_eq(account_held_back(&middle, &client, LEDGER_MAX_PHYSICAL_BYTES), 0, "the host alone holds back");
    struct charge charge = charge_of(LOCATION_RAM, 15);
    cr_expect_eq(account_unfilled_reserve(&middle), 5);
    cr_expect_eq(account_held_back(&host, &other, LEDGER_MAX_PHYSICAL_BYTES), 5);
    struct ledger_excess excess = excess_of(LOCATION_RAM, 56);
    cr_expect_eq(excess.reserved_bytes, 30);
    cr_expect(excess.fits_ever);
    cr_expect_not(excess_of(LOCATION_RAM, 71).fits_ever, "30 are reserved for ever");
    cr_expect(excess_of(LOCATION_MMAP, 86).reserved_bytes == 30, "of the sum, and not of files");
    account_set_reserve(&other, &host, 0);
    cr_expect_eq(account_held_back(&host, &client, LEDGER_MAX_PHYSICAL_BYTES), 0);
    account_set_reserve(&other, &host, 10);
    account_set_reserve(&other, &host, 40);
    cr_expect_eq(account_held_back(&host, &client, LEDGER_MAX_PHYSICAL_BYTES), 40);
    charge_release(&charge);
    account_deinit(&other);
    account_deinit(&middle);
    cr_expect(LIST_EMPTY(&reserves), "who ends reserves nothing");
}

Test(ledger, claims_reach_up_to_the_account_that_is_short)
{
    begin(&(struct byte_limits){100, 100, 100}, &off, &off);
    claim_up_to(&client, &middle, NULL, 10);
    cr_expect_eq(account_claimed(&client, LEDGER_MAX_PHYSICAL_BYTES), 10);
    cr_expect_eq(account_claimed(&middle, LEDGER_MAX_PHYSICAL_BYTES), 10);
    cr_expect_eq(account_claimed(&middle, LEDGER_MAX_BYTES), 10);
    cr_expect_eq(account_claimed(&middle, LEDGER_MAX_MAPPED_BYTES), 0);
    cr_expect_eq(account_claimed(&host, LEDGER_MAX_BYTES), 0, "the host is not what is short");
    claim_up_to(&client, &middle, &host, 20);
    cr_expect_eq(account_claimed(&middle, LEDGER_MAX_PHYSICAL_BYTES), 30);
    cr_expect_eq(account_claimed(&middle, LEDGER_MAX_MAPPED_BYTES), 20);
    cr_expect_eq(account_claimed(&middle, LEDGER_MAX_BYTES), 30, "what waits for either claims once");
    cr_expect_eq(account_claimed(&host, LEDGER_MAX_MAPPED_BYTES), 20);
    cr_expect_eq(account_claimed(&host, LEDGER_MAX_PHYSICAL_BYTES), 0);
    cr_expect_eq(account_claimed(&host, LEDGER_MAX_BYTES), 20);
    struct ledger_excess excess = excess_of(LOCATION_MMAP, 81);
    cr_expect_eq(excess.claimed_bytes, 20);
    claim_up_to(&client, NULL, NULL, 40);
    cr_expect_eq(account_claimed(&client, LEDGER_MAX_BYTES), 30, "who waits for nothing claims nothing");
    ledger_forget_claims(&client);
    cr_expect_eq(account_claimed(&client, LEDGER_MAX_BYTES) + account_claimed(&host, LEDGER_MAX_BYTES), 0);
    cr_expect_eq(account_claimed(&host, LEDGER_MAX_MAPPED_BYTES) + account_claimed(&middle, LEDGER_MAX_PHYSICAL_BYTES),
                 0);
}

Test(ledger, limits_have_the_names_of_the_configuration)
{
    cr_expect(ledger_limit_counts(LEDGER_MAX_BYTES, LOCATION_RAM) &&
              ledger_limit_counts(LEDGER_MAX_BYTES, LOCATION_MMAP));
    cr_expect(ledger_limit_counts(LEDGER_MAX_PHYSICAL_BYTES, LOCATION_RAM));
    cr_expect_not(ledger_limit_counts(LEDGER_MAX_PHYSICAL_BYTES, LOCATION_MMAP));
    cr_expect(ledger_limit_counts(LEDGER_MAX_MAPPED_BYTES, LOCATION_MMAP));
    cr_expect_not(ledger_limit_counts(LEDGER_MAX_MAPPED_BYTES, LOCATION_RAM));
}

Test(ledger, a_request_for_either_location_claims_the_sum_once)
{
    const struct byte_limits none = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    struct account top, own;
    account_init(&top, "host", &none);
    account_init(&own, "client", &none);
    own.above[ACCOUNT_ABOVE_MAX - 1] = &top;
    claim_up_to(&own, &top, &own, 8);
    cr_expect(own.claimed[LOCATION_RAM] == 8 && own.claimed[LOCATION_MMAP] == 8);
    cr_expect_eq(own.claimed_sum, 8);
    cr_expect(top.claimed[LOCATION_RAM] == 8 && top.claimed[LOCATION_MMAP] == 0, "a file is its own matter");
    cr_expect_eq(top.claimed_sum, 8);
    ledger_forget_claims(&own);
    cr_expect(top.claimed_sum == 0 && own.claimed[LOCATION_MMAP] == 0);
}
