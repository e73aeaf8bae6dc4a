/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzed core is asked, and told, of reservations; and what it is asked of blocks. */
#pragma once

#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/core/shell_model.h"

bool fuzz_is_about_reservations(enum request_kind kind);

/* Fills the body of such a request. Its paths live as long as the program. */
void fuzz_fill_reservation(struct request *request, struct fuzz_input *bytes);

/* Tells the core that some are empty: one that was given up, or any number. */
void fuzz_empty_reservations(struct model *model, struct fuzz_input *bytes);

/* Fills a request about blocks, a publication of this lease among them. */
void fuzz_fill_block(struct request *request, uint64_t lease, struct fuzz_input *bytes);
