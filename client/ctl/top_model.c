/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_model.h"

#include <errno.h>

/* ---- the tables ---- */

static uint64_t session_value(const void *entry)
{
    const struct session_entry *session = entry;
    return session->physical_bytes + session->mapped_bytes;
}

static uint64_t lease_value(const void *entry)
{
    return ((const struct lease_entry *)entry)->used_bytes;
}

static uint64_t usage_value(const void *entry)
{
    return ((const struct usage_entry *)entry)->bytes;
}

static uint64_t block_value(const void *entry)
{
    return ((const struct block_entry *)entry)->views;
}

/* How far it has come. */
static uint64_t queue_value(const void *entry)
{
    return ((const struct queue_entry *)entry)->place;
}

/* A request that the user may not see has neither a session nor a number: its place must do. */
static uint64_t queue_key(const void *entry)
{
    const struct queue_entry *queued = entry;
    const uint64_t spread = UINT64_C(0x9e3779b97f4a7c15);
    return queued->session ? queued->session * spread ^ queued->request : queued->place | UINT64_C(1) << 63;
}

void model_init(struct model *model)
{
    *model = (struct model){
        .tables = {
            [TABLE_USAGE] = {.listing = &usage_listing, .is_by_number = true, .value = usage_value},
            [TABLE_SESSIONS] = {.listing = &sessions_listing, .is_by_number = true, .value = session_value},
            [TABLE_LEASES] = {.listing = &leases_listing, .is_by_number = true, .value = lease_value},
            [TABLE_QUEUE] = {.listing = &queue_listing, .key = queue_key, .value = queue_value},
            [TABLE_BLOCKS] = {.listing = &blocks_listing, .is_by_number = true, .value = block_value},
        }};
}

void model_free(struct model *model)
{
    for (enum model_table table = 0; table < TABLES; table++) {
        rows_clear(&model->tables[table]);
    }
}

/* ---- asking ---- */

struct asker {
    gather_ask *ask;
    void *data;
    uint64_t now_ms;
};

/* Of another daemon a number may mean another row, and a page may not reach the rows that are over. */
static void forget_another_daemon(struct model *model, const struct status_reply *status)
{
    if (model->has_status && model->broker.status.pid != status->pid) {
        model_free(model);
    }
}

static int read_status(struct model *model, const struct asker *asker)
{
    struct gathered_broker broker;
    int result = gather_broker(asker->ask, asker->data, &broker);
    if (result < 0) {
        return result;
    }
    forget_another_daemon(model, &broker.status);
    model->broker = broker;
    model->has_status = true;
    model->status_ms = asker->now_ms;
    rates_note(&model->rates, asker->now_ms, &model->broker.status.counters);
    usage_set_host_limit(model->broker.status.limits.max_bytes);
    return 0;
}

/* One page behind `after`; *ret_after as of rows_take_page(). `most`: how many entries; 0: as many as fit. */
static int read_page(struct rows *rows, const struct asker *asker, uint64_t after, uint32_t most, uint64_t *ret_after)
{
    struct request request = {.kind = REQUEST_LIST,
                              .list = {.what = rows->listing->what, .after = after, .most = most}};
    const struct reply *reply;
    int result = gather_one(asker->ask, asker->data, &request, REPLY_LISTING, &reply);
    return result < 0 ? result : rows_take_page(rows, after, &reply->listing, asker->now_ms, ret_after);
}

/* Goes on with the pass over a table, and ends it at its end. */
static int read_next_page(struct rows *rows, const struct asker *asker)
{
    if (rows->after == 0) {
        rows->began_ms = asker->now_ms;
    }
    int result = read_page(rows, asker, rows->after, 0, &rows->after);
    if (result == 0 && rows->after == 0) {
        rows->complete_ms = rows->began_ms;
        rows->is_complete = true;
    }
    return result;
}

/* At most so many pages, and none twice. *ret_whole: that was the whole table. */
static int read_pages(struct rows *rows, const struct asker *asker, int most, bool *ret_whole)
{
    bool from_start = rows->after == 0;
    int result = 0;
    do {
        result = read_next_page(rows, asker);
        most--;
    } while (result == 0 && rows->after > 0 && most > 0);
    *ret_whole = from_start && rows->after == 0;
    return result;
}

/* Those on the screen, and what is newer than all rows. */
static int read_rows(struct rows *rows, const struct asker *asker, const uint64_t *shown, size_t count)
{
    uint64_t unused;
    int result = 0;
    for (size_t i = 0; result == 0 && i < count && i < MODEL_ROWS; i++) {
        result = read_page(rows, asker, shown[i] - 1, 1, &unused);
    }
    if (result == 0 && rows->count > 0) {
        result = read_page(rows, asker, rows->rows[rows->count - 1]->number, 0, &unused);
    }
    return result;
}

static int read_shown(struct rows *rows, const struct asker *asker, const uint64_t *shown, size_t count)
{
    bool is_whole = false;
    int result = read_pages(rows, asker, MODEL_PAGES, &is_whole);
    return result == 0 && !is_whole ? read_rows(rows, asker, shown, count) : result;
}

/* One page, so that the histories of tables that are not shown go on. */
static int read_other(struct model *model, const struct asker *asker, enum model_table shown)
{
    do {
        model->next_other = (model->next_other + 1) % TABLES;
    } while (model->next_other == shown || model->next_other == TABLE_USAGE);
    return read_next_page(&model->tables[model->next_other], asker);
}

static int read_table(struct model *model, const struct asker *asker, enum model_table table, const uint64_t *shown,
                      size_t shown_count)
{
    struct rows *rows = &model->tables[table];
    if (table == TABLE_USAGE) {
        return 0; /* was read already */
    }
    return rows->is_complete ? read_shown(rows, asker, shown, shown_count)
                             : model_read_all(model, asker->ask, asker->data, table, asker->now_ms);
}

int model_refresh(struct model *model, gather_ask *ask, void *data, enum model_table table, const uint64_t *shown,
                  size_t shown_count, uint64_t now_ms)
{
    const struct asker asker = {ask, data, now_ms};
    bool is_whole;
    int result = read_status(model, &asker);
    result = result < 0 ? result : read_pages(&model->tables[TABLE_USAGE], &asker, MODEL_USAGE_PAGES, &is_whole);
    result = result < 0 ? result : read_table(model, &asker, table, shown, shown_count);
    return result < 0 ? result : read_other(model, &asker, table);
}

int model_read_all(struct model *model, gather_ask *ask, void *data, enum model_table table, uint64_t now_ms)
{
    const struct asker asker = {ask, data, now_ms};
    struct rows *rows = &model->tables[table];
    int result;
    rows->after = 0;
    do {
        result = read_next_page(rows, &asker);
    } while (result == 0 && rows->after > 0);
    return result;
}
