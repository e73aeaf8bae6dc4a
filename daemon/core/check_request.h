/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a request makes sense. Each check answers, and returns false, if it does not. */
#pragma once

#include "daemon/core/broker_state.h"

/* So many requests of the session or its user are under way that another is too many. */
bool check_under_way(struct step *step, const struct session *session, const struct request *request);
bool check_acquire(struct step *step, const struct session *session, const struct request *request, uint64_t bytes);
bool check_extend(struct step *step, const struct session *session, const struct request *request);

/* What the request and its class want of huge pages. */
bool check_huge_pages(struct step *step, const struct session *session, const struct request *request,
                      enum huge_pages huge_pages);
