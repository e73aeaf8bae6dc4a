/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl audit */
#include <inttypes.h>
#include <stdio.h>

#include "client/ctl/column.h"
#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "client/ctl/table.h"
#include "client/ctl/text.h"

static json_t *agrees(const void *entry)
{
    return json_boolean(((const struct audit_reply *)entry)->difference_count == 0);
}

static json_t *differences(const void *entry)
{
    const struct audit_reply *audit = entry;
    json_t *array = json_array();
    for (size_t i = 0; i < audit->difference_count; i++) {
        (void)json_array_append_new(array, json_text(audit->differences[i]));
    }
    return array;
}

#define FIELD(name) COLUMN_FIELD(struct audit_reply, name)

static const struct column fields[] = {
    {NULL, "agree", COLUMN_JSON, .json = agrees},
    {NULL, "segments", COLUMN_NUMBER, FIELD(segments)},
    {NULL, "in_flight", COLUMN_NUMBER, FIELD(in_flight)},
    {NULL, "ledger.physical_bytes", COLUMN_NUMBER, FIELD(ledger_physical_bytes)},
    {NULL, "ledger.mapped_bytes", COLUMN_NUMBER, FIELD(ledger_mapped_bytes)},
    {NULL, "ledger.control_bytes", COLUMN_NUMBER, FIELD(ledger_control_bytes)},
    {NULL, "kernel.physical_bytes", COLUMN_NUMBER, FIELD(kernel_physical_bytes)},
    {NULL, "kernel.mapped_bytes", COLUMN_NUMBER, FIELD(kernel_mapped_bytes)},
    {NULL, "kernel.control_bytes", COLUMN_NUMBER, FIELD(kernel_control_bytes)},
    {NULL, "kernel.resident_physical_bytes", COLUMN_NUMBER, FIELD(resident_physical_bytes)},
    {NULL, "differences", COLUMN_JSON, .json = differences},
};

/* A row of the table: bytes of one kind, as the broker counts them and as the kernel does. */
struct comparison {
    const char *what;
    uint64_t ledger, kernel;
};

static const struct column columns[] = {
    {"BYTES", NULL, COLUMN_STRING, COLUMN_FIELD(struct comparison, what)},
    {"LEDGER", NULL, COLUMN_NUMBER, COLUMN_FIELD(struct comparison, ledger)},
    {"KERNEL", NULL, COLUMN_NUMBER, COLUMN_FIELD(struct comparison, kernel)},
};

static void print_table(const struct audit_reply *audit)
{
    const struct comparison rows[] = {
        {"RAM", audit->ledger_physical_bytes, audit->kernel_physical_bytes},
        {"mapped files", audit->ledger_mapped_bytes, audit->kernel_mapped_bytes},
        {"control pages", audit->ledger_control_bytes, audit->kernel_control_bytes},
    };
    char segments[COUNT_BYTES], resident[COUNT_BYTES];
    struct libscols_table *table = columns_to_table(columns, COLUMNS_COUNT(columns));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        columns_add_row(table, columns, COLUMNS_COUNT(columns), &rows[i]);
    }
    table_finish(table);
    printf("%s compared, %" PRIu64 " in flight; %s of RAM %s resident\n%s\n",
           count_to_text(audit->segments, "segment", segments), audit->in_flight,
           count_to_text(audit->resident_physical_bytes, "byte", resident),
           audit->resident_physical_bytes == 1 ? "is" : "are",
           audit->difference_count ? "ledger and kernel differ:" : "ledger and kernel agree");
}

static void print_differences(const struct audit_reply *audit)
{
    for (size_t i = 0; i < audit->difference_count; i++) {
        (void)fprintf(stderr, "membrokerctl: ");
        text_print(stderr, audit->differences[i]);
        (void)fputc('\n', stderr);
    }
}

int audit_main(const struct ctl_options *options, int argc, char **argv)
{
    struct request request = {.kind = REQUEST_AUDIT};
    const struct reply *reply;
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    int result = ctl_ask(options, &request, &reply);
    if (result != CTL_DONE) {
        return result;
    }
    const struct audit_reply *audit = &reply->audit;
    if (options->json) {
        result = ctl_print(columns_to_json(fields, COLUMNS_COUNT(fields), audit), false);
    } else {
        print_table(audit);
        print_differences(audit);
    }
    return audit->difference_count ? CTL_REFUSED : result;
}
