/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy: what users, groups and classes may have, as the configuration says it. A value: it is read, never
 * changed, by the core, which keeps a copy.
 *
 * A session stands under its user, under the first group of the policy that its process is in, and under one class: the
 * reservation (reservation.h) that has its control group most closely, else the one whose slices name its control group
 * most closely, else the first one that has it by user, group or name, else the class "default".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/access.h"
#include "daemon/core/control_group.h"
#include "daemon/core/identity.h"
#include "daemon/core/path_index.h"
#include "proto/message.h"

enum { POLICY_NAME_SIZE = 32, POLICY_RULES_MAX = 1024, POLICY_MEMBER_SIZE = MESSAGE_PATTERN_SIZE };

#define POLICY_DEFAULT_CLASS "default"

enum principal_kind { PRINCIPAL_USER, PRINCIPAL_GROUP, PRINCIPAL_CLASS, PRINCIPAL_KINDS };

struct quota {
    struct byte_limits limits;
    uint64_t max_leases, max_sessions; /* LIMIT_OFF: none */
    uint64_t reserve_bytes;            /* of RAM, guaranteed */
    bool is_reservation;               /* that a reservation makes, not the configuration */
    uint64_t held_until;               /* a reservation is suspended, and deadlines stand still until then; 0: no */
    bool has_priority, has_weight;     /* said; else they are inherited */
    uint32_t priority;                 /* higher is served first */
    uint32_t weight;                   /* share among those of one priority, at least 1 */
    enum charged_to charge;            /* who pays for RAM; CHARGE_UNSPECIFIED: who touches it first */
    bool has_huge_pages;
    enum huge_pages huge_pages; /* for requests that say nothing of them */
};

enum member_kind { MEMBER_USER, MEMBER_GROUP, MEMBER_CLIENT, MEMBER_SLICE };

/* Who belongs to a class. */
struct policy_member {
    enum member_kind kind;
    uint32_t id;                   /* of a user or group */
    char name[POLICY_MEMBER_SIZE]; /* as the configuration has it; a client's with * and ? as a shell has them, a
                                      control group's as control_group.h has them */
};

struct policy_rule {
    enum principal_kind kind;
    char name[POLICY_NAME_SIZE]; /* as the configuration has it */
    uint32_t id;                 /* of the user or group */
    bool has_owner;              /* a class that is for one user alone */
    uint32_t owner;
    bool is_each; /* a user rule for each user that has none of its own */
    struct quota quota;
    struct policy_member *members; /* of a class */
    size_t member_count;
    const struct control_paths *groups; /* of a reservation, whose members are the processes in them; borrowed. NULL */
};

struct policy {
    struct policy_rule *rules;
    size_t rule_count;
    bool borrows_members;    /* of another policy, which outlives it */
    struct path_index paths; /* of reservations, each with the place of its rule; a copy of a policy has it */
    struct access access;
};

/* What is known of a client when it is given a class; borrowed. */
struct policy_client {
    const struct identity *identity;
    const char *name;
    const char *control_groups; /* as control_group.h has them; NULL: unknown */
};

/* Why it is in this class: the member of the class that it is, or the path, which belongs to the policy or to what it
 * borrows. */
struct class_reason {
    enum class_rule rule;
    const char *pattern; /* NULL: none; the class is "default" */
};

/* Nothing said: no limit, no reserve. */
struct quota quota_none(void);

/* A copy of its own (of NULL: an empty one); NULL when memory is short. policy_free() takes NULL and returns NULL. */
struct policy *policy_copy(const struct policy *policy);

/* The same with the members of this one, which must live as long. */
struct policy *policy_borrow(const struct policy *policy);
struct policy *policy_free(struct policy *policy);

/* The rule for this user; its own, or that for each user, or NULL. */
const struct policy_rule *policy_user(const struct policy *policy, uint32_t uid);

/* The first group that a client of this identity belongs to; NULL: none. */
const struct policy_rule *policy_group(const struct policy *policy, const struct identity *identity);

/* The class that a client belongs to, and why; NULL: the class "default", of which the policy says nothing. */
const struct policy_rule *policy_class(const struct policy *policy, const struct policy_client *client,
                                       struct class_reason *ret_reason);

/* The path that makes a client a member of a reservation, as the reason for its class has it; NULL: it is in none. */
const char *policy_reserved_path(const struct policy *policy, const struct policy_client *client);

/* The rule of this kind and name, or NULL. */
const struct policy_rule *policy_find(const struct policy *policy, enum principal_kind kind, const char *name);
