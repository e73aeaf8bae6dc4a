/* SPDX-License-Identifier: Apache-2.0 */
#include "client/metrics/exposition.h"

#include <string.h>

#include "proto/base/size.h"

static const char *const types[] = {
    [FAMILY_GAUGE] = "gauge", [FAMILY_COUNTER] = "counter", [FAMILY_HISTOGRAM] = "histogram", [FAMILY_INFO] = "info"};

static const char *suffix_of(const struct family *family)
{
    return family->type == FAMILY_COUNTER ? "_total" : family->type == FAMILY_INFO ? "_info" : "";
}

/* In the older format the suffix belongs to the family, and there is no type for information. */
void exposition_family(const struct exposition *exposition, const struct family *family)
{
    bool is_open = exposition->format == EXPOSITION_OPENMETRICS;
    const char *suffix = is_open ? "" : suffix_of(family);
    const char *type = !is_open && family->type == FAMILY_INFO ? "gauge" : types[family->type];
    (void)fprintf(exposition->file, "# HELP membroker_%s%s %s\n# TYPE membroker_%s%s %s\n", family->name, suffix,
                  family->help, family->name, suffix, type);
    if (is_open && family->unit) {
        (void)fprintf(exposition->file, "# UNIT membroker_%s %s\n", family->name, family->unit);
    }
}

static void write_label_value(FILE *file, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n') {
            (void)fputs("\\n", file);
        } else {
            (void)fprintf(file, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
        }
    }
}

static void write_labels(FILE *file, const struct label *labels)
{
    bool has_any = labels && labels->name;
    for (const struct label *label = labels; label && label->name; label++) {
        (void)fprintf(file, "%c%s=\"", label == labels ? '{' : ',', label->name);
        write_label_value(file, label->value);
        (void)fputc('"', file);
    }
    if (has_any) {
        (void)fputc('}', file);
    }
}

const char *exposition_number(uint64_t number, uint64_t part, char *text)
{
    unsigned digits = 0;
    for (uint64_t rest = part; rest > 1; rest /= 10) {
        digits++;
    }
    int length = snprintf(text, EXPOSITION_NUMBER_BYTES, "%llu.%0*llu", (unsigned long long)(number / part),
                          (int)digits, (unsigned long long)(number % part));
    while (text[length - 1] == '0') {
        text[--length] = '\0';
    }
    if (text[length - 1] == '.') {
        text[length - 1] = '\0';
    }
    return text;
}

void exposition_part(const struct exposition *exposition, const struct family *family, const char *suffix,
                     const struct label *labels, uint64_t number, uint64_t part)
{
    char text[EXPOSITION_NUMBER_BYTES];
    (void)fprintf(exposition->file, "membroker_%s%s", family->name, suffix);
    write_labels(exposition->file, labels);
    (void)fprintf(exposition->file, " %s\n", exposition_number(number, part, text));
}

void exposition_value(const struct exposition *exposition, const struct family *family, const struct label *labels,
                      uint64_t number, uint64_t part)
{
    exposition_part(exposition, family, suffix_of(family), labels, number, part);
}

void exposition_end(const struct exposition *exposition)
{
    if (exposition->format == EXPOSITION_OPENMETRICS) {
        (void)fputs("# EOF\n", exposition->file);
    }
}
