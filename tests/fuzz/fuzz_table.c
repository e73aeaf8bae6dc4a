/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the kept table holds after a crash, the next daemon reads it safely, and its core's invariants hold. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/runtime/table.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER_BYTES = 4096 }; /* of which the input has the first 64; records follow */

static int table_of(const uint8_t *data, size_t size)
{
    size_t head = size < 64 ? size : 64;
    cleanup(fd_closep) int fd = memfd_create("table", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)(HEADER_BYTES + size - head)) < 0 ||
        pwrite(fd, data, head, 0) != (ssize_t)head ||
        pwrite(fd, data + head, size - head, HEADER_BYTES) != (ssize_t)(size - head)) {
        abort();
    }
    return fd_steal(&fd);
}

static void restore(const struct table *table)
{
    static char handles[1024];
    struct broker_options options = {.page_bytes = 4096};
    options.settings.limits = (struct byte_limits){LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    options.settings.times = (struct lease_times){1000, 3600000, 30000, 10000};
    struct broker *broker = broker_new(&options);
    struct kept_numbers numbers = table_read_numbers(table);
    broker_restore_numbers(broker, &numbers);
    for (uint32_t i = 0; i < table_records(table) && i < sizeof handles; i++) {
        struct kept_session session;
        uint64_t started_at;
        if (table_read_session(table, i, &session, &started_at)) {
            (void)broker_restore_session(broker, &session, &handles[i], NANOSECONDS_PER_SECOND);
        }
    }
    for (uint32_t i = 0; i < table_records(table) && i < sizeof handles; i++) {
        struct kept_segment segment;
        if (table_read_segment(table, i, &segment)) {
            (void)broker_restore_segment(broker, &segment, &handles[i], NANOSECONDS_PER_SECOND);
        }
    }
    broker_restore_done(broker);
    const char *wrong = broker_check(broker);
    if (wrong) {
        (void)fprintf(stderr, "%s\n", wrong);
        abort();
    }
    broker_free(broker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table table;
    if (table_open(&table, table_of(data, size)) == 0) {
        restore(&table);
        table_close(&table);
    }
    return 0;
}
