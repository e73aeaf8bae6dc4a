/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the screen shows of the broker, and how it is kept up to date. A refresh costs the daemon a bounded time,
 * whatever there is: it reads the status, the accounts, so many pages of the table that is shown, the rows on the
 * screen, and one page of the others in turn. A table that is longer is read over several refreshes.
 */
#pragma once

#include "client/ctl/top_rates.h"
#include "client/ctl/top_rows.h"
#include "client/metrics/gather.h"

enum model_table { TABLE_USAGE, TABLE_SESSIONS, TABLE_LEASES, TABLE_QUEUE, TABLE_BLOCKS, TABLES };

/* How many pages of the table that is shown, and of the accounts, a refresh reads at most; and how many rows of the
 * screen it reads by themselves if that is not the whole table. */
enum { MODEL_PAGES = 3, MODEL_USAGE_PAGES = 2, MODEL_ROWS = 60 };

struct model {
    bool has_status;
    uint64_t status_ms; /* when it came */
    struct gathered_broker broker;
    struct rates rates;
    struct rows tables[TABLES];
    enum model_table next_other; /* that gets the next page of those that are not shown */
};

void model_init(struct model *model);

/*
 * Reads what the screen shows. `shown` are the numbers of the rows on it, which are read by themselves if the table is
 * longer than what one refresh reads. Returns 0, or what `ask` returned, or -ENOMEM, or -EPROTO; then the model is as
 * it was, or partly new.
 */
int model_refresh(struct model *model, gather_ask *ask, void *data, enum model_table table, const uint64_t *shown,
                  size_t shown_count, uint64_t now_ms);

/* Reads the whole of a table. Returns as model_refresh(). */
int model_read_all(struct model *model, gather_ask *ask, void *data, enum model_table table, uint64_t now_ms);

/* Forgets all rows. */
void model_free(struct model *model);
