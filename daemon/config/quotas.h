/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections [user NAME], [group NAME] and [class NAME]: their keys, and what they promise together. A section may
 * come again; a drop-in's values win.
 */
#pragma once

#include "daemon/config/settings.h"

struct quota_line {
    const char *section, *key, *value; /* the latter two NULL: the section begins */
    const char *file;
    int line;
};

bool quotas_has_section(const char *section);

/* "user ", "group " or "class ". */
const char *quotas_prefix(enum principal_kind kind);

/* Takes a section's beginning into the draft. 0 or negative errno with the draft's error set. */
int quotas_take_section(struct config_draft *draft, const struct quota_line *line);

/* Takes a line of such a section into the draft. 0 or negative errno with the draft's error set. */
int quotas_take_line(struct config_draft *draft, const struct quota_line *line);

/* Whether what is promised can be kept: reserves and the pool within the limits, and each quota within itself. */
int quotas_check(struct config_draft *draft);

void quotas_print(const struct policy *policy, FILE *out);

/* Empties a policy that belongs to a configuration. */
void quotas_free(struct policy *policy);
