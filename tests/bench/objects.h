/* SPDX-License-Identifier: Apache-2.0 */
/* What every contestant of small objects does: 100,000 of them are looked up by name and copied out. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { OBJECTS = 100000, OBJECT_BYTES = 32, OBJECT_NAME_SIZE = 16 };

struct object {
    char name[OBJECT_NAME_SIZE];
    char content[OBJECT_BYTES]; /* the name, and zeros */
};

/* They are to be put in the order of their numbers, 0 to OBJECTS - 1. */
struct object object_of(uint32_t number);

/* Their numbers, in the random order in which they are looked up, which is the same in each process. */
const uint32_t *objects_order(void);

/* Copies an object out: its bytes, or negative: there is none. */
typedef int objects_get(void *context, const char *name, void *buffer, size_t size);

/* Prints the nanoseconds of a look-up as `hot` (of one object again and again) and `random` (of all of them, in random
 * order). Ends the program unless each one found the object. */
void objects_measure(objects_get *get, void *context);

/* So many look-ups of names that do not exist, as `missing`. */
void objects_measure_missing(objects_get *get, void *context, size_t count);
