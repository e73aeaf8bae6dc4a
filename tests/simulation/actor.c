/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/actor.h"

#include <stdio.h>

#include "tests/simulation/sharers.h"
#include "tests/simulation/virtual_time.h"
#include "tests/simulation/world_config.h"

enum { AWAY_MAX_MS = WORLD_GRACE_MS + 3000 };

void actor_init(struct actor *actor, const struct shell_kind *kind, struct shell *shell, int number, int index,
                uint64_t random_state)
{
    *actor = (struct actor){.kind = kind,
                            .shell = shell,
                            .number = number,
                            .state = random_state,
                            .uid = SHARERS_FIRST_UID + (uint32_t)(index % SHARING_USERS),
                            .last_request = 1 /* the hello */};
    (void)snprintf(actor->name, sizeof actor->name, "%d", index % (WORLD_CLASSES + 1));
}

uint64_t actor_below(struct actor *actor, uint64_t bound)
{
    return random_below(&actor->state, bound);
}

void actor_pause(struct actor *actor, uint64_t most_ms, uint64_t now)
{
    actor->next_at = now + (1 + actor_below(actor, most_ms)) * MS;
}

void actor_open(struct actor *actor)
{
    const struct shell_client as = {actor->name, actor->uid, "/sharers.slice"};
    actor->is_away = false;
    actor->request = 0;
    actor->kind->open(actor->shell, actor->number, &as);
}

void actor_be_away(struct actor *actor, uint64_t now)
{
    actor->is_away = true;
    actor->request = 0;
    actor_pause(actor, AWAY_MAX_MS, now);
}

void actor_send(struct actor *actor, struct request *request)
{
    request->id = ++actor->last_request;
    actor->kind->send(actor->shell, actor->number, request);
}

void actor_ask(struct actor *actor, struct request *request)
{
    actor->request = actor->last_request + 1;
    actor_send(actor, request);
}
