/* SPDX-License-Identifier: Apache-2.0 */
/* A table on standard output, by libsmartcols, which also makes names safe for terminals. */
#pragma once

#include <libsmartcols/libsmartcols.h>

/* Prints and frees. The headings stand there even if there are no rows. Takes NULL. */
void table_finish(struct libscols_table *table);
