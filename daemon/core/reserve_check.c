/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/reserve_check.h"

#include <stdio.h>
#include <string.h>

#include "daemon/core/answer.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

enum { PRIORITY_MAX = 1000, WEIGHT_MAX = 1000, QUOTED_BYTES = 200 };

static uint64_t id_of(const struct input *input)
{
    return input->request.request->id;
}

bool reserve_check_permission(struct step *step, const struct input *input)
{
    const struct broker *broker = step->broker;
    const struct access *access = &broker->reservations.configured->access;
    if (access_may_reserve(access, broker->options.daemon_uid, &input->request.identity)) {
        return true;
    }
    answer_error(step, input->peer, id_of(input), ERROR_NOT_PERMITTED,
                 "user %u may not make or change reservations; only administrators and the users in [access] "
                 "reserve_users may",
                 input->request.identity.uid);
    return false;
}

bool reserve_check_terms(struct step *step, const struct input *input, const struct reservation_terms *terms)
{
    const char *fault = NULL;
    if (!terms->name[0] || strlen(terms->name) >= POLICY_NAME_SIZE) {
        fault = "its name must have 1 to 31 bytes";
    } else if (terms->has_priority && terms->priority > PRIORITY_MAX) {
        fault = "its priority must be at most 1000";
    } else if (terms->has_weight && (terms->weight < 1 || terms->weight > WEIGHT_MAX)) {
        fault = "its weight must be from 1 to 1000";
    }
    if (fault) {
        answer_error(step, input->peer, id_of(input), ERROR_INVALID, "the reservation \"%s\" can't be made: %s",
                     terms->name, fault);
    }
    return !fault;
}

/* ---- control groups ---- */

static bool check_group(struct step *step, const struct input *input, const char *path, const struct reservation *of)
{
    const struct reservation *other = reservation_with_path(&step->broker->reservations, path);
    const char *fault = control_path_fault(path);
    if (fault) {
        answer_error(step, input->peer, id_of(input), ERROR_INVALID, "\"%.*s\" is not a control group: %s",
                     QUOTED_BYTES, path, fault);
        return false;
    }
    if (other && other != of) {
        answer_error(step, input->peer, id_of(input), ERROR_BUSY,
                     "the control group %.*s belongs to the reservation %s%s; %s", QUOTED_BYTES, path,
                     other->terms.name, other->is_over ? ", which was given up" : "",
                     other->is_over ? "wait until no process is left in it" : "give that one up first");
        return false;
    }
    return true;
}

bool reserve_check_groups(struct step *step, const struct input *input, const struct control_group_list *groups,
                          const struct reservation *of)
{
    size_t count = of ? of->groups.count : 0, bytes = of ? of->path_bytes : 0;
    for (size_t i = 0; i < groups->count; i++) {
        const char *path = groups->paths[i];
        bool is_new = !of || !reservation_has_path(of, path);
        count += is_new;
        bytes += is_new ? reservation_path_bytes(path) : 0;
        if (count > MESSAGE_PATHS_MAX || bytes > MESSAGE_PATH_BYTES_MAX) {
            answer_error(step, input->peer, id_of(input), ERROR_TOO_MANY,
                         "a reservation has at most %d control groups, with paths of at most %d bytes in all; attach a "
                         "group above them",
                         MESSAGE_PATHS_MAX, MESSAGE_PATH_BYTES_MAX);
            return false;
        }
        if (!check_group(step, input, path, of)) {
            return false;
        }
    }
    return true;
}

/* ---- sums ---- */

/* A limit on what is reserved: of the host, or of all reservations. */
struct reserve_limit {
    enum limit_kind kind;
    const char *whose;
    uint64_t most, reserved;
};

static void write_sentence(struct error_reply *error, const char *name)
{
    const struct refusal *refusal = &error->refusal;
    const char *owner = strcmp(refusal->whose, "host") == 0 ? "host's" : "[reservations]";
    char asked[SIZE_TEXT_BYTES], reserved[SIZE_TEXT_BYTES], all[SIZE_TEXT_BYTES], left[SIZE_TEXT_BYTES];
    (void)snprintf(error->sentence, sizeof error->sentence,
                   "the reservation %s asks for %s of RAM, but the %s %s is %s, and %s of that are reserved already: "
                   "%s are left; reserve less, or give up another reservation",
                   name, size_to_text(refusal->asked_bytes, asked), owner, refusal->limit,
                   size_to_text(refusal->limit_bytes, all), size_to_text(refusal->reserved_bytes, reserved),
                   size_to_text(refusal->free_bytes, left));
}

/* Answers if the bytes are more than is left. */
static bool check_limit(struct step *step, const struct input *input, const struct reservation_terms *terms,
                        const struct reserve_limit *limit)
{
    uint64_t room = size_subtract_floored(limit->most, limit->reserved);
    struct reply *reply = terms->bytes > room ? answer_to(step, input->peer, id_of(input), REPLY_ERROR) : NULL;
    if (reply) {
        reply->error = (struct error_reply){.code = ERROR_LIMIT,
                                            .refusal = {.limit_kind = limit->kind,
                                                        .limit_bytes = limit->most,
                                                        .asked_bytes = terms->bytes,
                                                        .free_bytes = room,
                                                        .reserved_bytes = limit->reserved}};
        text_copy(reply->error.refusal.limit, MESSAGE_LIMIT_SIZE, limit_kind_name(limit->kind));
        text_copy(reply->error.refusal.whose, MESSAGE_WHOSE_SIZE, limit->whose);
        write_sentence(&reply->error, terms->name);
    }
    return terms->bytes <= room;
}

bool reserve_check_sum(struct step *step, const struct input *input, const struct reservation_terms *terms)
{
    const struct broker *broker = step->broker;
    const struct reservation_table *table = &broker->reservations;
    const struct reservation_settings *settings = &broker->options.settings.reservations;
    const struct byte_limits *limits = &broker->host.limits;
    uint64_t reserved = reservation_sum(table);
    uint64_t sum = size_add_saturated(reserved, reservation_policy_sum(table->configured));
    bool is_physical = limits->max_physical_bytes <= limits->max_bytes;
    if (table->count >= settings->count_max) {
        answer_error(step, input->peer, id_of(input), ERROR_TOO_MANY,
                     "there are %zu reservations, those included that were given up and have processes left in their "
                     "control groups; [reservations] max_count is %u",
                     table->count, settings->count_max);
        return false;
    }
    const struct reserve_limit all = {LIMIT_KIND_BYTES, "reservations", settings->bytes_max, reserved};
    const struct reserve_limit host = {is_physical ? LIMIT_KIND_PHYSICAL_BYTES : LIMIT_KIND_BYTES, "host",
                                       is_physical ? limits->max_physical_bytes : limits->max_bytes, sum};
    return check_limit(step, input, terms, &all) && check_limit(step, input, terms, &host);
}
