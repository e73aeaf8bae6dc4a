/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes a table of numbers, as BLOCKS.md describes an array, so that programs in C, Python and Java can read it.
 * The table is filled in the memory that the readers will see. It ends with this process. Usage: publishing NAME
 */
#include <membroker.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 2048, COLUMNS = 4096 };

static int fail(void)
{
    (void)fprintf(stderr, "publishing: %s\n", mb_last_error());
    return 1;
}

static double fill(double *table)
{
    double sum = 0;
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        table[i] = i % 100;
        sum += table[i];
    }
    return sum;
}

int main(int argc, char **argv)
{
    const uint64_t bytes = (uint64_t)ROWS * COLUMNS * sizeof(double);
    char metadata[100];
    mb_client *client;
    mb_block *block;
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: publishing NAME\n");
        return 2;
    }
    (void)snprintf(metadata, sizeof metadata, "{\"dtype\":\"<f8\",\"shape\":[%d,%d],\"order\":\"C\",\"bytes\":%llu}",
                   ROWS, COLUMNS, (unsigned long long)bytes);
    options.type = "array";
    options.metadata = metadata;
    options.metadata_bytes = strlen(metadata);
    if (mb_connect(NULL, &client) < 0 || mb_block_create(client, bytes, &options, &block) < 0) {
        return fail();
    }
    double sum = fill(mb_block_data(block));
    if (mb_block_publish(block, argv[1]) < 0) {
        return fail();
    }
    printf("C:      published %d x %d numbers, sum %.0f\n", ROWS, COLUMNS, sum);
    (void)fflush(stdout);
    for (;;) {
        (void)pause();
    }
}
