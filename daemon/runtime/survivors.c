/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/survivors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/control_group.h"
#include "daemon/os/process.h"
#include "daemon/runtime/group_paths.h"
#include "daemon/runtime/server.h"

enum {
    TEXT_SIZE = 65536, /* of /proc/PID/cgroup */
    PAUSE_MAX = 32,    /* intervals */
    LOOKS = 2,         /* a process can start another one behind the place where a look is */
};

/* A reservation that was given up, as it was when the look began. */
struct group_set {
    uint64_t reservation;
    char *paths; /* each ends with NUL; an empty one ends them */
    bool is_inhabited;
};

struct look {
    uv_work_t work;
    struct server *server;
    struct group_set *sets;
    size_t count;
    uint64_t *empty; /* room for the numbers of all */
    int result;      /* negative errno: not every process could be looked at */
};

static struct look *look_free(struct look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        free(look->sets[i].paths);
    }
    free(look->sets);
    free(look->empty);
    free(look);
    return NULL;
}

/* ---- on the thread pool ---- */

/* A path that is too long to be read is nobody's: who has one can't open a session either. */
static void look_at_process(void *argument, int32_t pid, const char *text)
{
    struct look *look = argument;
    char groups[CONTROL_GROUPS_SIZE];
    (void)pid;
    if (control_groups_parse(text, groups) < 0) {
        return;
    }
    for (size_t i = 0; i < look->count; i++) {
        struct group_set *set = &look->sets[i];
        set->is_inhabited = set->is_inhabited || group_paths_have(set->paths, groups);
    }
}

static void look_work(uv_work_t *work)
{
    struct look *look = work->data;
    char *text = malloc(TEXT_SIZE);
    look->result = text ? 0 : -ENOMEM;
    for (int i = 0; i < LOOKS && look->result == 0; i++) {
        look->result = process_each(text, TEXT_SIZE, look_at_process, look);
    }
    free(text);
}

/* ---- on the loop ---- */

/* All in one input: each is a change of the policy, and of the file. */
static void tell_empty(struct server *server, struct look *look)
{
    struct input input = {.kind = INPUT_EMPTIED};
    input.emptied.reservations = look->empty;
    for (size_t i = 0; i < look->count; i++) {
        if (!look->sets[i].is_inhabited) {
            look->empty[input.emptied.count++] = look->sets[i].reservation;
        }
    }
    if (input.emptied.count > 0) {
        executor_feed(server, &input);
    }
}

static void look_done(uv_work_t *work, int status)
{
    struct look *look = work->data;
    struct server *server = look->server;
    (void)status; /* jobs are never cancelled */
    server->survivors.is_looking = false;
    if (look->result == 0 && !server->is_closing) {
        tell_empty(server, look);
    }
    (void)look_free(look);
}

static bool add_set(struct look *look, const struct reservation_groups *given_up)
{
    struct group_set *sets = reallocarray(look->sets, look->count + 1, sizeof *sets);
    if (!sets) {
        return false;
    }
    look->sets = sets;
    char *paths = group_paths_copy(given_up);
    if (!paths) {
        return false;
    }
    sets[look->count++] = (struct group_set){given_up->reservation, paths, false};
    return true;
}

/* NULL: there is nothing to look for, or memory is short. */
static struct look *look_new(struct server *server)
{
    struct reservation_groups given_up = {0};
    struct look *look = calloc(1, sizeof *look);
    bool is_whole = look;
    while (is_whole && broker_next_given_up(server->broker, given_up.reservation, &given_up)) {
        is_whole = add_set(look, &given_up);
    }
    if (is_whole && look->count) {
        look->empty = calloc(look->count, sizeof *look->empty);
        is_whole = look->empty;
    }
    return is_whole && look->count ? look : look ? look_free(look) : NULL;
}

/* Whether it is time; immediately if a reservation was given up since. */
static bool is_due(struct survivors *survivors, uint64_t sum)
{
    if (survivors->sum != sum) {
        survivors->sum = sum;
        survivors->pause = 0;
        survivors->waits = 0;
    }
    if (survivors->waits > 0) {
        survivors->waits--;
        return false;
    }
    survivors->pause = survivors->pause < PAUSE_MAX / 2 ? 2 * survivors->pause + 1 : PAUSE_MAX;
    survivors->waits = survivors->pause - 1;
    return true;
}

void survivors_look(struct server *server)
{
    struct survivors *survivors = &server->survivors;
    struct reservation_groups given_up = {0};
    uint64_t sum = 0;
    while (broker_next_given_up(server->broker, given_up.reservation, &given_up)) {
        sum += given_up.reservation;
    }
    if (!sum || survivors->is_looking || !is_due(survivors, sum)) {
        return;
    }
    struct look *look = look_new(server);
    if (look) {
        survivors->is_looking = true;
        look->server = server;
        look->work.data = look;
        (void)uv_queue_work(&server->loop, &look->work, look_work, look_done); /* fails for no work only */
    }
}
