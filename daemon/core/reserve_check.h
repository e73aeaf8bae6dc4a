/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a request for a reservation; each answers it then. */
#pragma once

#include "daemon/core/broker_state.h"

/* Whether who asks may make reservations. */
bool reserve_check_permission(struct step *step, const struct input *input);

/* Whether the terms are in their ranges. */
bool reserve_check_terms(struct step *step, const struct input *input, const struct reservation_terms *terms);

/* Whether these can be control groups of `of` (NULL: of a new reservation). */
bool reserve_check_groups(struct step *step, const struct input *input, const struct control_group_list *groups,
                          const struct reservation *of);

/* Whether one more reservation, and what it guarantees, fit what there may be. */
bool reserve_check_sum(struct step *step, const struct input *input, const struct reservation_terms *terms);
