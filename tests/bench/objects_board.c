/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small objects of the broker: to put one, and to look one up (nanoseconds). This fails if one that is measured asked
 * the broker, or if objects took descriptors. A name that does not exist asks the broker.
 */
#include <dirent.h>
#include <membroker.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/measure.h"
#include "tests/bench/objects.h"
#include "tests/bench/pool_status.h"

enum { MISSING = 5000 };

static struct monitor *monitor;

static int get(void *context, const char *name, void *buffer, size_t size)
{
    return mb_get(context, name, buffer, size);
}

static void put(mb_client *client, const struct object *object)
{
    if (mb_put(client, object->name, object->content, sizeof object->content, NULL) < 0)
        measure_fail("mb_put", mb_last_error());
}

static void put_all(mb_client *client)
{
    double began = clock_ns();
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const struct object object = object_of(i);
        put(client, &object);
    }
    figure_print("put", (clock_ns() - began) / OBJECTS);
}

/* The board is mapped part by part as its objects are found. */
static void get_all(mb_client *client)
{
    char buffer[OBJECT_BYTES];
    for (uint32_t i = 0; i < OBJECTS; i++)
        if (mb_get(client, object_of(i).name, buffer, sizeof buffer) != OBJECT_BYTES)
            measure_fail("mb_get", mb_last_error());
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        measure_fail_errno("/proc/self/fd");
    while (readdir(directory))
        count++;
    (void)closedir(directory);
    return count;
}

static uint64_t count_asked(void)
{
    return pool_status(monitor).objects.got;
}

static void require(bool is_so, const char *otherwise)
{
    if (!is_so)
        measure_fail("objects_board", otherwise);
}

int main(void)
{
    mb_client *client;
    if (mb_connect(NULL, &client) < 0 || monitor_open(NULL, MONITOR_TIMEOUT_MS, &monitor) < 0)
        measure_fail("connect", mb_last_error());
    const struct object first = {.name = "first"};
    put(client, &first);
    int descriptors = count_descriptors();
    put_all(client);
    get_all(client);
    uint64_t asked = count_asked();
    objects_measure(get, client);
    require(count_asked() == asked, "a look-up that was measured has asked the broker");
    require(count_descriptors() == descriptors, "objects took descriptors");
    objects_measure_missing(get, client, MISSING);
    mb_disconnect(client);
    monitor_close(monitor);
    return 0;
}
