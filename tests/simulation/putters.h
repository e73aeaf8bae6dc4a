/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small objects in the world: clients put, replace and remove objects of their own names, get those of all, lose their
 * connections and die. What is got must be what was put.
 */
#pragma once

#include "tests/simulation/watchers.h"

enum {
    PUTTERS = 3,
    FIRST_PUTTER = FIRST_WATCHER - PUTTERS, /* their numbers among the clients */
    PUTTER_OBJECTS = 6,
};

/* What there is of it at the broker. */
enum presence {
    PRESENCE_NONE,
    PRESENCE_THERE,
    PRESENCE_PERHAPS, /* its session may be over */
};

struct put_object {
    enum presence presence;
    enum lifetime lifetime;
    uint32_t bytes;
    uint8_t value; /* of the first byte; each one behind it is greater by one */
};

struct putter {
    struct actor actor;
    enum request_kind asked;
    int of, number; /* whose object that is about, and which */
    struct put_object putting;
    struct put_object objects[PUTTER_OBJECTS];
};

/* How often objects were tried. */
struct putting_counts {
    uint64_t puts, refusals, gets, absences, removals;
};

struct putters {
    const struct shell_kind *kind;
    struct shell *shell;
    struct putter putters[PUTTERS];
    struct putting_counts counts;
};

/*
 * Whether there are such clients. A loop frees boards in a turn of its own, so that the order of what happens at one
 * instant is not the same in both shells.
 */
extern bool putters_exist;

void putters_begin(struct putters *putters, const struct shell_kind *kind, struct shell *shell, uint64_t seed,
                   uint64_t now);
uint64_t putters_next_action(const struct putters *putters);
void putters_act(struct putters *putters, uint64_t now);
void putters_take_reply(struct putters *putters, int number, const struct reply *reply);

/* The daemon was restarted, and its boards have gone with it. */
void putters_lose_daemon(struct putters *putters, uint64_t now);

/* All remove what is left, and die. */
void putters_end(struct putters *putters, uint64_t now);
