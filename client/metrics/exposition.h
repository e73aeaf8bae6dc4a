/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing metrics as text, in one of two formats: OpenMetrics 1.0, and the older format of Prometheus, which promtool
 * and the textfile collector of node_exporter read. They differ in the names of families, in units, and in the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum exposition_format { EXPOSITION_OPENMETRICS, EXPOSITION_PROMETHEUS };

enum family_type { FAMILY_GAUGE, FAMILY_COUNTER, FAMILY_HISTOGRAM, FAMILY_INFO };

struct family {
    const char *name; /* without membroker_, and without the suffix of a counter or an info */
    enum family_type type;
    const char *unit; /* the end of the name; NULL: none */
    const char *help;
};

struct exposition {
    FILE *file;
    enum exposition_format format;
};

/* A label's value may be any text. NULL in place of a name ends the labels. */
struct label {
    const char *name, *value;
};

void exposition_family(const struct exposition *exposition, const struct family *family);

/* A value of the family, `part` of a unit: 1, or 1000 for milliseconds in a family of seconds. */
void exposition_value(const struct exposition *exposition, const struct family *family, const struct label *labels,
                      uint64_t number, uint64_t part);

/* One of the values of a histogram: "_bucket", "_sum" or "_count". */
void exposition_part(const struct exposition *exposition, const struct family *family, const char *suffix,
                     const struct label *labels, uint64_t number, uint64_t part);

void exposition_end(const struct exposition *exposition);

/* number / part, exactly, as a decimal number: "1.5". `part` is a power of ten. Into text[EXPOSITION_NUMBER_BYTES]. */
enum { EXPOSITION_NUMBER_BYTES = 48 };
const char *exposition_number(uint64_t number, uint64_t part, char *text);
