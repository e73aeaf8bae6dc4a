/* SPDX-License-Identifier: Apache-2.0 */
/* Every family stands in one of the tables below, and each is written as a whole: OpenMetrics wants that. */
#include "client/metrics/families.h"

#include <stddef.h>
#include <stdlib.h>

#include "proto/base/limit_kind.h"
#include "proto/base/size.h"

enum { MILLISECONDS = 1000 };

/* ---- single values ---- */

enum number_kind { NUMBER_64, NUMBER_32, NUMBER_LEVEL };

struct single {
    struct family family;
    size_t offset;
    enum number_kind kind;
    uint64_t part; /* of the unit; 0: 1 */
};

#define STATUS(field)  offsetof(struct gathered, broker.status.field)
#define METRICS(field) offsetof(struct gathered, metrics.field)
#define GAUGE          FAMILY_GAUGE
#define COUNTER        FAMILY_COUNTER

static const struct single singles[] = {
    {{"start_time_seconds", GAUGE, "seconds", "When the daemon started, since 1970."},
     METRICS(started_unix_ms),
     NUMBER_64,
     MILLISECONDS},
    {{"configuration_error", GAUGE, NULL, "1 if the configuration files are bad and an earlier one is in effect."},
     offsetof(struct gathered, broker.is_misconfigured),
     NUMBER_64,
     0},
    {{"warnings", GAUGE, NULL, "What an administrator should look at: see membrokerctl status."},
     offsetof(struct gathered, broker.warnings),
     NUMBER_64,
     0},
    {{"freeing_bytes", GAUGE, "bytes", "Part of what is used: of no lease any more, and not free yet."},
     STATUS(freeing_bytes),
     NUMBER_64,
     0},
    {{"pool_bytes", GAUGE, "bytes", "Part of what is used: ready for the next requests."},
     STATUS(pooled_bytes),
     NUMBER_64,
     0},
    {{"control_bytes", GAUGE, "bytes", "Control pages, which no limit counts."}, STATUS(control_bytes), NUMBER_64, 0},
    {{"reserved_bytes", GAUGE, "bytes", "RAM that is guaranteed to accounts that do not use it now."},
     STATUS(reserved_bytes),
     NUMBER_64,
     0},
    {{"host_memory_bytes", GAUGE, "bytes", "Memory of the host, or of the daemon's control group if that has less."},
     STATUS(host_total_bytes),
     NUMBER_64,
     0},
    {{"host_available_bytes", GAUGE, "bytes", "The part of it that is available now."},
     STATUS(host_available_bytes),
     NUMBER_64,
     0},
    {{"pressure_level", GAUGE, NULL, "Memory pressure of the host: 0 none, 1 some, 2 full."},
     STATUS(pressure),
     NUMBER_LEVEL,
     0},
    {{"sessions", GAUGE, NULL, "Sessions of client processes."}, STATUS(sessions), NUMBER_64, 0},
    {{"leases", GAUGE, NULL, "Leases."}, STATUS(leases), NUMBER_64, 0},
    {{"segments", GAUGE, NULL, "Segments: of leases, of the pool, and those that are being freed."},
     STATUS(segments),
     NUMBER_64,
     0},
    {{"users", GAUGE, NULL, "Users who have an account; those who hold most have metrics of their own."},
     offsetof(struct gathered, all_users),
     NUMBER_64,
     0},
    {{"waiting_requests", GAUGE, NULL, "Requests that wait for memory."}, STATUS(waiting), NUMBER_64, 0},
    {{"waiting_bytes", GAUGE, "bytes", "What the waiting requests ask for."}, METRICS(waiting_bytes), NUMBER_64, 0},
    {{"waiting_oldest_seconds", GAUGE, "seconds", "How long the oldest waiting request has waited; 0 if none waits."},
     METRICS(waiting_oldest_ms),
     NUMBER_64,
     MILLISECONDS},
    {{"learned_sizes", GAUGE, NULL, "Workspace sizes that the broker remembers."}, STATUS(remembered), NUMBER_64, 0},
    {{"stuck_jobs", GAUGE, NULL, "Jobs of worker processes that a client process blocks."},
     STATUS(stuck_jobs),
     NUMBER_32,
     0},
    {{"stuck_oldest_seconds", GAUGE, "seconds", "How long the oldest of them has been blocked."},
     STATUS(stuck_ms),
     NUMBER_64,
     MILLISECONDS},
    {{"descriptors", GAUGE, NULL, "Descriptors that are open for segments, control pages and connections."},
     METRICS(descriptors),
     NUMBER_64,
     0},
    {{"descriptors_limit", GAUGE, NULL, "How many of them there may be."}, METRICS(descriptors_max), NUMBER_64, 0},
    {{"blocks", GAUGE, NULL, "Published blocks, those included that have ended and are not free yet."},
     STATUS(blocks.blocks),
     NUMBER_64,
     0},
    {{"views", GAUGE, NULL, "Views of them, without their publishers' leases."}, STATUS(blocks.views), NUMBER_64, 0},
    {{"publishes", COUNTER, NULL, "Blocks that were published."}, STATUS(blocks.published), NUMBER_64, 0},
    {{"attaches", COUNTER, NULL, "Views that were granted."}, STATUS(blocks.attached), NUMBER_64, 0},
    {{"evictions", COUNTER, NULL, "Blocks that were evicted because memory was short."},
     STATUS(blocks.evicted),
     NUMBER_64,
     0},
    {{"objects", GAUGE, NULL, "Small objects."}, STATUS(objects.objects), NUMBER_64, 0},
    {{"object_bytes", GAUGE, "bytes", "What they have."}, STATUS(objects.bytes), NUMBER_64, 0},
    {{"board_bytes", GAUGE, "bytes", "The memory of the boards that have them."},
     STATUS(objects.board_bytes),
     NUMBER_64,
     0},
    {{"object_puts", COUNTER, NULL, "Objects that were put."}, STATUS(objects.put), NUMBER_64, 0},
    {{"object_gets", COUNTER, NULL, "Objects that clients asked the broker for; other readers look into a board."},
     STATUS(objects.got),
     NUMBER_64,
     0},
    {{"object_refusals", COUNTER, NULL, "Puts of objects that were refused."}, STATUS(objects.refused), NUMBER_64, 0},
    {{"grants", COUNTER, NULL, "Leases that were granted."}, STATUS(counters.granted), NUMBER_64, 0},
    {{"extensions", COUNTER, NULL, "Segments that were added to leases."}, STATUS(counters.extended), NUMBER_64, 0},
    {{"tampered_leases", COUNTER, NULL, "Leases that ended because a client changed a segment; ended as revoked too."},
     METRICS(tampered),
     NUMBER_64,
     0},
    {{"pool_hits", COUNTER, NULL, "Grants from the pool."}, STATUS(pool_hits), NUMBER_64, 0},
    {{"pool_misses", COUNTER, NULL, "Grants for which the pool had no segment ready."},
     STATUS(pool_misses),
     NUMBER_64,
     0},
    {{"cut_off_clients", COUNTER, NULL, "Clients that were disconnected because they did not read."},
     STATUS(cut_off),
     NUMBER_64,
     0},
    {{"audits", COUNTER, NULL, "Audits that ended with a report."}, METRICS(audits), NUMBER_64, 0},
    {{"audit_differences", COUNTER, NULL, "Differences that audits found between the ledger and the kernel."},
     METRICS(audit_differences),
     NUMBER_64,
     0},
    {{"restarts", COUNTER, NULL, "How often a daemon continued with the leases of the one before it."},
     METRICS(restarts),
     NUMBER_64,
     0},
    {{"messages", COUNTER, NULL, "Messages that were received."}, METRICS(messages), NUMBER_64, 0},
    {{"loop_stalls", COUNTER, NULL, "Turns of the event loop that took longer than 100 ms."},
     METRICS(loop_stalls),
     NUMBER_64,
     0},
    {{"away_seconds", COUNTER, "seconds", "How far deadlines were moved because the daemon did not run."},
     STATUS(away_ms),
     NUMBER_64,
     MILLISECONDS},
};

static uint64_t number_at(const struct single *single, const struct gathered *gathered)
{
    const void *at = (const char *)gathered + single->offset;
    return single->kind == NUMBER_64   ? *(const uint64_t *)at
           : single->kind == NUMBER_32 ? *(const uint32_t *)at
                                       : (uint64_t) * (const enum pressure *)at;
}

static void write_singles(const struct exposition *exposition, const struct gathered *gathered)
{
    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++) {
        uint64_t part = singles[i].part ? singles[i].part : 1;
        exposition_family(exposition, &singles[i].family);
        exposition_value(exposition, &singles[i].family, NULL, number_at(&singles[i], gathered), part);
    }
}

/* ---- values with labels ---- */

static void write_info(const struct exposition *exposition, const struct gathered *gathered)
{
    static const struct family family = {"build", FAMILY_INFO, NULL, "The version of the daemon."};
    exposition_family(exposition, &family);
    exposition_value(exposition, &family, (const struct label[]){{"version", gathered->broker.version}, {NULL, NULL}},
                     1, 1);
}

struct limit_value {
    const char *limit;
    uint64_t used, limit_bytes;
};

/* A limit that is off has neither a value nor free bytes. */
static void write_limits(const struct exposition *exposition, const struct gathered *gathered)
{
    static const struct family families[] = {
        {"used_bytes", GAUGE, "bytes", "What the limit counts: leased, ready in the pool, or being freed."},
        {"limit_bytes", GAUGE, "bytes", "The limits of the host."},
        {"free_bytes", GAUGE, "bytes", "What is left of the limit."},
    };
    const struct status_reply *status = &gathered->broker.status;
    const struct limit_value values[] = {
        {"max_bytes", status->used_bytes, status->limits.max_bytes},
        {"max_physical_bytes", status->used_physical_bytes, status->limits.max_physical_bytes},
        {"max_mapped_bytes", status->used_mapped_bytes, status->limits.max_mapped_bytes},
    };
    for (size_t i = 0; i < 3; i++) {
        exposition_family(exposition, &families[i]);
        for (size_t j = 0; j < 3; j++) {
            const struct label labels[] = {{"limit", values[j].limit}, {NULL, NULL}};
            const uint64_t numbers[] = {values[j].used, values[j].limit_bytes,
                                        size_subtract_floored(values[j].limit_bytes, values[j].used)};
            if (i == 0 || values[j].limit_bytes != LIMIT_OFF) {
                exposition_value(exposition, &families[i], labels, numbers[i], 1);
            }
        }
    }
}

static void write_endings(const struct exposition *exposition, const struct gathered *gathered)
{
    static const struct family family = {"ended_leases", COUNTER, NULL, "Leases that ended, by the reason."};
    const struct broker_counters *counters = &gathered->broker.status.counters;
    const struct limit_value values[] = {{"released", counters->released, 0},
                                         {"expired", counters->expired, 0},
                                         {"revoked", counters->revoked, 0},
                                         {"died", counters->died, 0}};
    exposition_family(exposition, &family);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct label labels[] = {{"reason", values[i].limit}, {NULL, NULL}};
        exposition_value(exposition, &family, labels, values[i].used, 1);
    }
}

static void write_blocks(const struct exposition *exposition, const struct gathered *gathered)
{
    static const struct family family = {"block_bytes", GAUGE, "bytes",
                                         "What published blocks have, by their lifetime."};
    static const char *const lifetimes[LIFETIMES] = {
        [LIFETIME_SESSION] = "session", [LIFETIME_KEEP] = "keep", [LIFETIME_CACHE] = "cache"};
    exposition_family(exposition, &family);
    for (enum lifetime lifetime = LIFETIME_SESSION; lifetime < LIFETIMES; lifetime++) {
        const struct label labels[] = {{"lifetime", lifetimes[lifetime]}, {NULL, NULL}};
        exposition_value(exposition, &family, labels, gathered->broker.status.blocks.bytes[lifetime], 1);
    }
}

/* A newer broker may know limits that are not known here: they are one. */
static void write_refusals(const struct exposition *exposition, const struct gathered *gathered)
{
    static const struct family family = {"refusals", COUNTER, NULL, "Requests that were refused, by the limit."};
    uint64_t counts[LIMIT_KINDS] = {0};
    for (size_t i = 0; i < gathered->refusal_count; i++) {
        enum limit_kind kind = gathered->refusals[i].kind;
        counts[kind < LIMIT_KINDS ? kind : LIMIT_KIND_UNSPECIFIED] += gathered->refusals[i].count;
    }
    exposition_family(exposition, &family);
    for (enum limit_kind kind = LIMIT_KIND_UNSPECIFIED; kind < LIMIT_KINDS; kind++) {
        const char *name = limit_kind_name(kind);
        const struct label labels[] = {{"limit", *name ? name : "other"}, {NULL, NULL}};
        exposition_value(exposition, &family, labels, counts[kind], 1);
    }
}

/* ---- accounts ---- */

struct account_family {
    struct family family;
    size_t offset;
    uint64_t part;    /* 0: 1 */
    uint64_t absent;  /* a number that means that there is none; 0: every number counts */
    const char *name; /* of the label that tells the families' two halves apart; NULL: it has none */
    const char *value;
};

#define USAGE(field) offsetof(struct usage_entry, field)

/* A row that repeats the name of the one before is another value of that family. */
static const struct account_family class_families[] = {
    {{"leased_bytes", GAUGE, "bytes",
      "What the sessions of a class or reservation have, including what is being freed."},
     USAGE(physical_bytes),
     0,
     0,
     "location",
     "ram"},
    {{"leased_bytes", GAUGE, "bytes", ""}, USAGE(mapped_bytes), 0, 0, "location", "mmap"},
    {{"class_limit_bytes", GAUGE, "bytes", "The limits of a class or reservation, if it has any."},
     USAGE(limits.max_bytes),
     0,
     LIMIT_OFF,
     "limit",
     "max_bytes"},
    {{"class_limit_bytes", GAUGE, "bytes", ""},
     USAGE(limits.max_physical_bytes),
     0,
     LIMIT_OFF,
     "limit",
     "max_physical_bytes"},
    {{"class_limit_bytes", GAUGE, "bytes", ""},
     USAGE(limits.max_mapped_bytes),
     0,
     LIMIT_OFF,
     "limit",
     "max_mapped_bytes"},
    {{"class_reserve_bytes", GAUGE, "bytes", "RAM that is guaranteed to it."}, USAGE(reserve_bytes), 0, 0, NULL, NULL},
    {{"class_freeing_bytes", GAUGE, "bytes", "What of it is being freed."}, USAGE(freeing_bytes), 0, 0, NULL, NULL},
    {{"class_peak_bytes", GAUGE, "bytes", "The most that it had since the daemon started."},
     USAGE(peak_bytes),
     0,
     0,
     NULL,
     NULL},
    {{"class_sessions", GAUGE, NULL, "Its sessions."}, USAGE(sessions), 0, 0, NULL, NULL},
    {{"class_leases", GAUGE, NULL, "Its leases."}, USAGE(leases), 0, 0, NULL, NULL},
    {{"class_waiting_requests", GAUGE, NULL, "Its requests that wait."}, USAGE(waiting), 0, 0, NULL, NULL},
    {{"class_waiting_bytes", GAUGE, "bytes", "What they ask for."}, USAGE(waiting_bytes), 0, 0, NULL, NULL},
    {{"class_waiting_oldest_seconds", GAUGE, "seconds", "How long the oldest of them has waited; 0 if none waits."},
     USAGE(waiting_oldest_ms),
     MILLISECONDS,
     0,
     NULL,
     NULL},
};

static const struct account_family user_families[] = {
    {{"user_leased_bytes", GAUGE, "bytes", "What a user's sessions have; of the users who have most."},
     USAGE(physical_bytes),
     0,
     0,
     "location",
     "ram"},
    {{"user_leased_bytes", GAUGE, "bytes", ""}, USAGE(mapped_bytes), 0, 0, "location", "mmap"},
    {{"user_waiting_requests", GAUGE, NULL, "A user's requests that wait; of the users who have most."},
     USAGE(waiting),
     0,
     0,
     NULL,
     NULL},
};

/* "class" and its name, or "uid" and its number. */
static void write_account(const struct exposition *exposition, const struct account_family *row,
                          const struct usage_entry *entry)
{
    char uid[16];
    uint64_t number = *(const uint64_t *)((const char *)entry + row->offset);
    bool is_user = entry->kind == USAGE_USER;
    (void)snprintf(uid, sizeof uid, "%u", entry->id);
    const struct label labels[] = {
        {is_user ? "uid" : "class", is_user ? uid : entry->name},
        {row->name, row->value},
        {NULL, NULL},
    };
    if (!row->absent || number != row->absent) {
        exposition_value(exposition, &row->family, labels, number, row->part ? row->part : 1);
    }
}

static void write_accounts(const struct exposition *exposition, const struct account_family *rows, size_t row_count,
                           const struct usage_entry *entries, size_t count)
{
    for (size_t i = 0; i < row_count; i++) {
        if (*rows[i].family.help) {
            exposition_family(exposition, &rows[i].family);
        }
        for (size_t j = 0; j < count; j++) {
            write_account(exposition, &rows[i], &entries[j]);
        }
    }
}

/* ---- histograms ---- */

static void write_histogram(const struct exposition *exposition, const struct family *family,
                            const struct gathered_durations *durations)
{
    char bound[EXPOSITION_NUMBER_BYTES];
    uint64_t count = 0;
    exposition_family(exposition, family);
    for (size_t i = 0; i < durations->count; i++) {
        uint64_t upto = durations->buckets[i].upto_ns;
        count += durations->buckets[i].count;
        if (upto != UINT64_MAX) {
            const struct label labels[] = {{"le", exposition_number(upto, NANOSECONDS_PER_SECOND, bound)},
                                           {NULL, NULL}};
            exposition_part(exposition, family, "_bucket", labels, count, 1);
        }
    }
    exposition_part(exposition, family, "_bucket", (const struct label[]){{"le", "+Inf"}, {NULL, NULL}}, count, 1);
    exposition_part(exposition, family, "_sum", NULL, durations->sum_ns, NANOSECONDS_PER_SECOND);
    exposition_part(exposition, family, "_count", NULL, count, 1);
}

static void write_histograms(const struct exposition *exposition, const struct gathered *gathered)
{
    static const struct family acquire = {"acquire_seconds", FAMILY_HISTOGRAM, "seconds",
                                          "From a request to its grant."};
    static const struct family wait = {"wait_seconds", FAMILY_HISTOGRAM, "seconds",
                                       "Of requests that waited, until they were granted or refused."};
    static const struct family freeing = {"free_seconds", FAMILY_HISTOGRAM, "seconds",
                                          "From the end of a segment until the kernel has its bytes back."};
    static const struct family turn = {"loop_turn_seconds", FAMILY_HISTOGRAM, "seconds",
                                       "Turns of the event loop, without its sleep."};
    write_histogram(exposition, &acquire, &gathered->acquire);
    write_histogram(exposition, &wait, &gathered->wait);
    write_histogram(exposition, &freeing, &gathered->freeing);
    write_histogram(exposition, &turn, &gathered->turn);
}

const char *families_media_type(enum exposition_format format)
{
    return format == EXPOSITION_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; charset=utf-8";
}

char *families_to_text(const struct gathered *gathered, enum exposition_format format, size_t *ret_length)
{
    char *text = NULL;
    struct exposition exposition = {.file = open_memstream(&text, ret_length), .format = format};
    if (!exposition.file) {
        return NULL;
    }
    write_info(&exposition, gathered);
    write_singles(&exposition, gathered);
    write_limits(&exposition, gathered);
    write_endings(&exposition, gathered);
    write_refusals(&exposition, gathered);
    write_blocks(&exposition, gathered);
    write_accounts(&exposition, class_families, sizeof class_families / sizeof *class_families, gathered->classes,
                   gathered->class_count);
    write_accounts(&exposition, user_families, sizeof user_families / sizeof *user_families, gathered->users,
                   gathered->user_count);
    write_histograms(&exposition, gathered);
    exposition_end(&exposition);
    bool is_whole = !ferror(exposition.file);
    if (fclose(exposition.file) != 0 || !is_whole) {
        free(text);
        return NULL;
    }
    return text;
}
