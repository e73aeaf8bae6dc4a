/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections [user NAME], [group NAME] and [class NAME]. A section may appear again; the
 * values of a drop-in win.
 */
#pragma once

#include "daemon/config/draft.h"

bool quotas_has_section(const char *section);

/* "user ", "group " or "class ". */
const char *quotas_prefix(enum principal_kind kind);

/* Takes a section's beginning into the draft. 0 or negative errno with the draft's error set. */
int quotas_take_section(struct config_draft *draft, const struct config_place *place);

/* Takes a line `key = text` of such a section into the draft. 0 or negative errno with the draft's error set. */
int quotas_take_line(struct config_draft *draft, const struct config_place *place, const char *text);

/* Lets the rules of two policies change places; who may connect stays. */
void quotas_swap(struct policy *a, struct policy *b);

void quotas_print(const struct policy *policy, FILE *out);

/* Empties a policy that belongs to a configuration. */
void quotas_free(struct policy *policy);
