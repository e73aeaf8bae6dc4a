/* SPDX-License-Identifier: Apache-2.0 */
/* What the core alone, and its restart, have in common. */
#pragma once

#include <sys/queue.h>

#include "tests/simulation/shell.h"
#include "tests/unit/core/board_model.h"

struct cookie {
    int client;
    struct identity identity;
    uint64_t session;
    bool is_connected, is_over;
    SLIST_ENTRY(cookie) next;
};

struct result {
    uint64_t due;
    struct input input;
    TAILQ_ENTRY(result) next;
};

TAILQ_HEAD(result_list, result);

/* Whose bytes the core must charge, once, from its making until it is freed. */
struct pure_segment {
    uint64_t id, bytes;
    enum location location;
    bool is_made, is_freeing;
    bool is_given_up; /* the daemon has it for writing no more */
    TAILQ_ENTRY(pure_segment) next;
};

TAILQ_HEAD(pure_segment_list, pure_segment);

struct shell {
    struct world *world;
    struct config *config;
    struct broker *broker;
    uint64_t now, made_at_once;
    struct effect_list effects;
    struct result_list ready, working, looking; /* to be told now; when they are done; looks at processes */
    struct pure_segment_list segments;
    struct board_model boards;
    bool is_frozen[CLIENTS_MAX];
    struct cookie *cookies[CLIENTS_MAX];
    SLIST_HEAD(cookie_list, cookie) all;
};

void pure_drop_results(struct result_list *list);
void pure_forget_segment(struct shell *shell, struct pure_segment *segment);
void pure_judge(struct shell *shell);
void pure_restart(struct shell *shell);
