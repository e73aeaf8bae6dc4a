/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration as `membrokerd --check-config` prints it. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>

#include "daemon/config/config_print.h"

/* The caller frees it. */
static inline char *printed_config(const struct config *config)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    cr_assert(out);
    config_print(config, out);
    (void)fclose(out);
    return text;
}
