/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same objects in a plain hash table of the process, which no other process sees: a chain of nodes from malloc() in
 * each of 131,072 buckets. Nanoseconds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/measure.h"
#include "tests/bench/objects.h"

enum { BUCKETS = 131072, MISSING = 100000 };

struct node {
    struct node *next;
    char name[OBJECT_NAME_SIZE];
    size_t bytes;
    char data[];
};

static uint32_t bucket_of(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash ^ hash >> 32) % BUCKETS;
}

static int get(void *context, const char *name, void *buffer, size_t size)
{
    struct node **table = context;
    const struct node *node = table[bucket_of(name)];
    while (node && strcmp(node->name, name) != 0)
        node = node->next;
    if (!node)
        return -1;
    if (node->bytes <= size)
        memcpy(buffer, node->data, node->bytes);
    return (int)node->bytes;
}

static void put(struct node **table, const struct object *object)
{
    struct node **bucket = &table[bucket_of(object->name)];
    struct node *node = malloc(sizeof *node + OBJECT_BYTES);
    if (!node)
        measure_fail_errno("malloc");
    *node = (struct node){.next = *bucket, .bytes = OBJECT_BYTES};
    memcpy(node->name, object->name, sizeof node->name);
    memcpy(node->data, object->content, sizeof object->content);
    *bucket = node;
}

int main(void)
{
    struct node **table = calloc(BUCKETS, sizeof *table);
    if (!table)
        measure_fail_errno("calloc");
    double began = clock_ns();
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const struct object object = object_of(i);
        put(table, &object);
    }
    figure_print("put", (clock_ns() - began) / OBJECTS);
    objects_measure(get, table);
    objects_measure_missing(get, table, MISSING);
    return 0;
}
