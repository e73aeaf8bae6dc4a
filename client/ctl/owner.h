/* SPDX-License-Identifier: Apache-2.0 */
/* --owner USER: whose block or object a verb is about. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/ctl/options.h"

#define OWNER_OPTION(description)                                                                                      \
    {                                                                                                                  \
        "owner", '\0', "USER", (description), owner_take                                                               \
    }

int owner_take(struct ctl_options *options, const char *value);

/* Whether it was given; if not, *ret is this program's user. */
bool owner_said(uint32_t *ret);
