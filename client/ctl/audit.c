/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl audit */
#include <inttypes.h>
#include <stdio.h>

#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "client/ctl/table.h"
#include "client/ctl/text.h"

static int print_audit(const struct audit_reply *audit)
{
    json_t *differences = json_array();
    for (size_t i = 0; i < audit->difference_count; i++) {
        (void)json_array_append_new(differences, json_text(audit->differences[i]));
    }
    json_t *ledger =
        json_pack("{s:I,s:I,s:I}", "physical_bytes", (json_int_t)audit->ledger_physical_bytes, "mapped_bytes",
                  (json_int_t)audit->ledger_mapped_bytes, "control_bytes", (json_int_t)audit->ledger_control_bytes);
    json_t *kernel =
        json_pack("{s:I,s:I,s:I,s:I}", "physical_bytes", (json_int_t)audit->kernel_physical_bytes, "mapped_bytes",
                  (json_int_t)audit->kernel_mapped_bytes, "control_bytes", (json_int_t)audit->kernel_control_bytes,
                  "resident_physical_bytes", (json_int_t)audit->resident_physical_bytes);
    return print_json(json_pack("{s:b,s:I,s:I,s:o,s:o,s:o}", "agree", audit->difference_count == 0, "segments",
                                (json_int_t)audit->segments, "in_flight", (json_int_t)audit->in_flight, "ledger",
                                ledger, "kernel", kernel, "differences", differences),
                      false);
}

static void add_row(struct libscols_table *table, const char *what, uint64_t ledger, uint64_t kernel)
{
    char ledger_text[CELL_BYTES], kernel_text[CELL_BYTES];
    const char *cells[] = {what, cell_number(ledger, ledger_text), cell_number(kernel, kernel_text)};
    table_add(table, cells, 3);
}

static void print_table(const struct audit_reply *audit)
{
    static const struct column columns[] = {{"BYTES", false}, {"LEDGER", true}, {"KERNEL", true}};
    char segments[COUNT_BYTES], resident[COUNT_BYTES];
    struct libscols_table *table = table_new(columns, 3);
    add_row(table, "RAM", audit->ledger_physical_bytes, audit->kernel_physical_bytes);
    add_row(table, "mapped files", audit->ledger_mapped_bytes, audit->kernel_mapped_bytes);
    add_row(table, "control pages", audit->ledger_control_bytes, audit->kernel_control_bytes);
    table_finish(table);
    printf("%s compared, %" PRIu64 " in flight; %s of RAM are resident\n%s\n",
           count_to_text(audit->segments, "segment", segments), audit->in_flight,
           count_to_text(audit->resident_physical_bytes, "byte", resident),
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
        result = print_audit(audit);
    } else {
        print_table(audit);
        print_differences(audit);
    }
    return audit->difference_count ? CTL_REFUSED : result;
}
