/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of sharing: brokers with rules, and checks of replies. */
#ifndef MEMBROKER_TESTS_UNIT_CORE_SHARING_H
#define MEMBROKER_TESTS_UNIT_CORE_SHARING_H

#include "proto/base/size.h"
#include "tests/unit/core/shell_model.h"

#define MIB UINT64_C(1048576)

/* The lease of a grant; any other reply fails the test. */
uint64_t granted(const struct reply *reply);

/* The reply, which must be the error `code`. */
const struct reply *refused(const struct reply *reply, enum error_code code);

/* A broker with `max_physical` bytes and model_policy. */
struct model *sharing(uint64_t max_physical);

struct policy_rule one_rule(enum principal_kind kind, const char *name);
struct model *with_rule(uint64_t max_physical, struct policy_rule *rule);

/* A rule for a user of whom nothing but the number is known. */
struct policy_rule user_rule(uint32_t uid);

/* A broker that lets this principal have so many leases. */
struct model *with_max_leases(uint64_t max_physical, struct policy_rule rule, uint32_t max_leases);

#endif
