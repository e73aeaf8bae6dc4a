/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/location.h"

const struct location_facts location_facts[LOCATIONS + 1] = {
    [LOCATION_RAM] = {.limit = LEDGER_MAX_PHYSICAL_BYTES,
                      .spills_to = LOCATION_MMAP,
                      .is_memory = true,
                      .has_page_options = true,
                      .has_pool = true,
                      .has_seals = true},
    [LOCATION_MMAP] = {.limit = LEDGER_MAX_MAPPED_BYTES, .has_names = true},
};
