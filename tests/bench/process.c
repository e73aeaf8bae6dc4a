/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/process.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/bench/measure.h"

enum { PATH_SIZE = 64 };

double process_processor_us(const char *process)
{
    char path[PATH_SIZE];
    unsigned long user = 0, kernel = 0;
    (void)snprintf(path, sizeof path, "/proc/%s/stat", process);
    FILE *file = fopen(path, "re");
    int got =
        file ? fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) : 0;
    if (got != 2)
        measure_fail(path, "the processor time can't be read");
    (void)fclose(file);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK) * 1e6;
}

double process_own_bytes(const char *process)
{
    char path[PATH_SIZE], line[128];
    unsigned long kilobytes = 0;
    (void)snprintf(path, sizeof path, "/proc/%s/status", process);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        (void)sscanf(line, "RssAnon: %lu", &kilobytes);
    if (!file || !kilobytes)
        measure_fail(path, "the memory can't be read");
    (void)fclose(file);
    return (double)kilobytes * 1024;
}
