/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/owner.h"

#include <unistd.h>

#include "client/ctl/users.h"

static bool is_said;
static uint32_t uid;

int owner_take(struct ctl_options *options, const char *value)
{
    (void)options;
    is_said = true;
    return user_from_text("--owner", value, &uid);
}

bool owner_said(uint32_t *ret)
{
    *ret = is_said ? uid : geteuid();
    return is_said;
}
