/* SPDX-License-Identifier: Apache-2.0 */
/* Kept leases whose size was learned: they serve who asks for the learned size. */
#include "tests/integration/workspaces.h"

TestSuite(kept_sizes, .timeout = 60);

static mb_lease *take(uint64_t bytes, mb_lease_options options)
{
    mb_lease *lease = NULL;
    void *address;
    cr_assert(mb_acquire(client, bytes, &options, &lease) == 0 && mb_map(lease, 0, &address, NULL) == 0, "%s",
              mb_last_error());
    return lease;
}

/* Acquires, maps and releases. Returns the lease's number. */
static uint64_t use(uint64_t bytes, mb_lease_options options)
{
    mb_lease *lease = take(bytes, options);
    uint64_t id = mb_lease_id(lease);
    cr_assert(mb_release(lease) == 0, "%s", mb_last_error());
    return id;
}

static mb_lease_options learned(unsigned flags)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.name = "learned";
    options.flags = flags | MB_LEASE_UNDEFINED_CONTENT;
    return options;
}

Test(kept_sizes, a_request_for_a_learned_size_gets_the_kept_lease_of_that_size)
{
    begin("");
    uint64_t id = use(MIB, learned(MB_LEASE_LEARNED));
    cr_expect_eq(use(0, learned(MB_LEASE_USE_LEARNED)), id);
    cr_expect_eq(use(4096, learned(MB_LEASE_USE_LEARNED)), id, "the learned size counts");
    mb_lease_options another = learned(MB_LEASE_USE_LEARNED);
    another.name = "another";
    cr_expect(use(4096, another) != id);
    cr_expect_eq(use(MIB, learned(0)), id, "any request of the size may get it");
    cr_expect(use(0, learned(MB_LEASE_USE_LEARNED)) != id, "after which it is of no learned size");
    end();
}

Test(kept_sizes, a_size_that_is_learned_is_told_to_the_broker_each_time)
{
    begin("");
    uint64_t id = use(MIB, learned(MB_LEASE_LEARNED));
    cr_expect(use(MIB, learned(MB_LEASE_LEARNED)) != id);
    end();
}

Test(kept_sizes, of_several_learned_sizes_the_newest_counts)
{
    begin("");
    mb_lease *first = take(MIB, learned(MB_LEASE_LEARNED));
    mb_lease *second = take(2 * MIB, learned(MB_LEASE_LEARNED));
    uint64_t newest = mb_lease_id(second);
    (void)mb_release(second);
    (void)mb_release(first);
    cr_expect_eq(use(0, learned(MB_LEASE_USE_LEARNED)), newest);
    end();
}

Test(kept_sizes, a_size_that_may_be_the_programs_own_is_not_taken_for_a_learned_one)
{
    begin("");
    uint64_t id = use(MIB, learned(MB_LEASE_USE_LEARNED));
    cr_expect(use(MIB, learned(MB_LEASE_USE_LEARNED)) != id);
    end();
}
