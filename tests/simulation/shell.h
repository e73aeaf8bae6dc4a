/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker to live with, in virtual time: the real daemon's runtime, with real sockets and libuv's loop, or the core
 * alone with the least of a shell around it. Both tell the world of clients what they answer, at the same instants.
 */
#pragma once

#include "daemon/config/config.h"
#include "daemon/core/broker.h"

enum { CLIENTS_MAX = 64 };

/* The clients. */
struct world;
uint64_t world_next_action(const struct world *world); /* ns */
void world_take_reply(struct world *world, int client, const struct reply *reply, uint64_t now);

struct shell;

/* Who a client is, at its end of a new connection. */
struct shell_client {
    const char *name;
    uint32_t uid;
    const char *group; /* the path of its control group, which lives as long as the shell */
};

struct shell_kind {
    struct shell *(*begin)(struct world *world, struct config *config);
    /* All that follows at once has happened when one of these returns. */
    void (*open)(struct shell *shell, int client, const struct shell_client *as);
    void (*send)(struct shell *shell, int client, const struct request *request);
    void (*disconnect)(struct shell *shell, int client);
    /* Another connection for the client's session. False: the session is over. */
    bool (*resume)(struct shell *shell, int client);
    void (*die)(struct shell *shell, int client);
    /* Whether its process is frozen from now on. */
    void (*freeze)(struct shell *shell, int client, bool is_frozen);
    /* No process is left in the control groups of these reservations, which were given up. */
    void (*empty)(struct shell *shell, const uint64_t *reservations, size_t count);
    /* Another broker takes over what a daemon keeps, and every session is detached. NULL: it can't be done. */
    void (*restart)(struct shell *shell);
    /* Lets time pass until a client acts; returns when that is. */
    uint64_t (*pass)(struct shell *shell);
    const struct broker *(*broker)(const struct shell *shell);
    void (*end)(struct shell *shell);
};

extern const struct shell_kind shell_real, shell_pure;

/* How often the loop slept, and how often it would have slept past something due. */
extern uint64_t shell_sleeps, shell_oversleeps;
