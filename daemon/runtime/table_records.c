/* SPDX-License-Identifier: Apache-2.0 */
/* Records in a mapped memfd. */
#include "daemon/runtime/table_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/os/fault.h"
#include "proto/base/cleanup.h"

uint32_t table_records(const struct table *table)
{
    return table->header ? (uint32_t)((table->mapped - HEADER_BYTES) / table->header->record_bytes) : 0;
}

int table_map(struct table *table, size_t bytes)
{
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, table->fd, 0);
    if (address == MAP_FAILED) {
        return -errno;
    }
    table->header = address;
    table->mapped = bytes;
    return 0;
}

int table_list_free(struct table *table)
{
    uint32_t records = table_records(table);
    uint32_t *list = reallocarray(table->free, records ? records : 1, sizeof *list);
    if (!list) {
        return -ENOMEM;
    }
    table->free = list;
    table->free_count = 0;
    for (uint32_t i = records; i-- > 0;) {
        if (atomic_load(&table_record(table, i)->kind) == RECORD_FREE) {
            list[table->free_count++] = i;
        }
    }
    return 0;
}

void table_close(struct table *table)
{
    if (table->header) {
        (void)munmap(table->header, table->mapped);
    }
    (void)fd_close(table->fd);
    free(table->free);
    *table = (struct table){.fd = -EBADF};
}

static int grow(struct table *table)
{
    uint32_t records = table_records(table); /* a table that was cut may have none, and a part of one behind them */
    size_t more = records ? records : FIRST_RECORDS;
    size_t whole = HEADER_BYTES + (size_t)records * table->header->record_bytes;
    size_t bytes = whole + more * table->header->record_bytes;
    memset((char *)table->header + whole, 0, table->mapped - whole);
    if (ftruncate(table->fd, (off_t)bytes) < 0) {
        return -errno;
    }
    void *address = mremap(table->header, table->mapped, bytes, MREMAP_MAYMOVE);
    if (address == MAP_FAILED) {
        return -errno;
    }
    table->header = address;
    table->mapped = bytes;
    return table_list_free(table);
}

int table_reserve(struct table *table, uint32_t *ret_record)
{
    if (table->free_count == 0 && grow(table) < 0) {
        return -ENOMEM;
    }
    *ret_record = table->free[--table->free_count];
    table_record(table, *ret_record)->next = 0;
    return 0;
}

int table_make_room(struct table *table, uint32_t records)
{
    int result = 0;
    while (result == 0 && table->free_count < records) {
        result = grow(table);
    }
    return result < 0 ? -ENOMEM : 0;
}

void table_validate(struct record *record, enum record_kind kind)
{
    fault_point();
    atomic_store_explicit(&record->kind, kind, memory_order_release);
}

/* With the records in which it goes on, which are checked when the table is opened. */
void table_forget(struct table *table, uint32_t number)
{
    while (table->header && number != TABLE_NONE) {
        struct record *record = table_record(table, number);
        table_validate(record, RECORD_FREE);
        table->free[table->free_count++] = number;
        number = record->next - 1; /* 0: TABLE_NONE */
        record->next = 0;
    }
}

void table_invalidate(struct table *table, uint32_t record)
{
    table_validate(table_record(table, record), RECORD_FREE);
}

const struct record *table_read_kind(const struct table *table, uint32_t number, enum record_kind kind)
{
    const struct record *record = table_record(table, number);
    return atomic_load_explicit(&record->kind, memory_order_acquire) == kind ? record : NULL;
}
