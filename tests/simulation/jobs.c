/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/jobs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/simulation/virtual_time.h"
#include "tests/simulation/world_config.h"

#define MIB UINT64_C(1048576)

enum {
    BYTES_MAX_MIB = 16,
    LATE_MS = 1000, /* a loop whose steps take time counts it as the daemon's own */
    LOOK_MS = 200,  /* until it is known who is frozen, and what was being made is revoked */
};

static const char *const groups[GROUPS] = {"/world.slice/g0", "/world.slice/g1",   "/world.slice/g2",
                                           "/world.slice/g3", "/world.slice/g3/a", "/world.slice/g5"};
static const char *const names[JOBS] = {"job0", "job1", "job2", "job3"};

const char *jobs_group(unsigned group)
{
    return groups[group];
}

void jobs_begin(struct jobs *jobs, const struct shell_kind *kind, struct shell *shell, uint64_t seed, uint64_t now)
{
    const struct shell_client as = {"scheduler", getuid(), "/scheduler.slice"};
    *jobs = (struct jobs){.kind = kind, .shell = shell, .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 7};
    jobs->last_request = 1; /* the hello */
    jobs->next_at = now + MS;
    kind->open(shell, SCHEDULER, &as);
}

/* ---- asking ---- */

void jobs_take_answer(struct jobs *jobs, const struct reply *reply)
{
    if (reply->is_answer && reply->reply_to == jobs->last_request) {
        cr_assert(reply->kind == REPLY_DONE || reply->kind == REPLY_ERROR);
        jobs->is_answered = true;
        jobs->answer = reply->kind == REPLY_DONE ? ERROR_UNSPECIFIED : reply->error.code;
    }
}

/* Whether it is done. It is answered immediately, as it must be. */
static bool ask(struct jobs *jobs, struct request *request, enum error_code expected)
{
    request->id = ++jobs->last_request;
    jobs->is_answered = false;
    jobs->kind->send(jobs->shell, SCHEDULER, request);
    cr_assert(jobs->is_answered, "the scheduler waits for an answer");
    cr_assert_eq(jobs->answer, expected, "request %d is answered with %d, not with %d", (int)request->kind,
                 (int)jobs->answer, (int)expected);
    *(expected == ERROR_UNSPECIFIED ? &jobs->done : &jobs->refused) += 1;
    return expected == ERROR_UNSPECIFIED;
}

static bool is_taken(const struct jobs *jobs, unsigned mask, int by_other_than)
{
    bool is = false;
    for (int i = 0; i < JOBS; i++) {
        is = is || (i != by_other_than && jobs->jobs[i].state != JOB_NONE && (jobs->jobs[i].groups & mask));
    }
    return is;
}

static uint64_t sum(const struct jobs *jobs)
{
    uint64_t bytes = 0;
    for (int i = 0; i < JOBS; i++) {
        bytes += jobs->jobs[i].state == JOB_MADE ? jobs->jobs[i].bytes : 0;
    }
    return bytes;
}

static enum error_code expected_of_reserve(const struct jobs *jobs, int number, const struct job *wanted)
{
    const struct job *job = &jobs->jobs[number];
    if (job->state != JOB_NONE) {
        bool is_same = job->state == JOB_MADE && job->bytes == wanted->bytes && job->uid == wanted->uid &&
                       job->first_groups == wanted->groups && !job->expires_at && !wanted->expires_at;
        return is_same ? ERROR_UNSPECIFIED : ERROR_BUSY;
    }
    if (is_taken(jobs, wanted->groups, number)) {
        return ERROR_BUSY;
    }
    return sum(jobs) + wanted->bytes > WORLD_RESERVED_MIB * MIB ? ERROR_LIMIT : ERROR_UNSPECIFIED;
}

/* Those of a mask, as a request has them. */
static struct control_group_list list_of(unsigned mask, const char *paths[GROUPS])
{
    struct control_group_list list = {paths, 0};
    for (unsigned i = 0; i < GROUPS; i++) {
        if (mask & (1U << i)) {
            paths[list.count++] = groups[i];
        }
    }
    return list;
}

static void reserve(struct jobs *jobs, int number, const struct job *wanted, uint64_t now)
{
    const char *paths[GROUPS];
    struct job *job = &jobs->jobs[number];
    struct request request = {.kind = REQUEST_RESERVE};
    bool is_new = job->state == JOB_NONE;
    request.reserve.groups = list_of(wanted->groups, paths);
    request.reserve.terms = (struct reservation_terms){
        .bytes = wanted->bytes, .mapped_bytes = 8 * MIB, .has_uid = wanted->uid, .uid = wanted->uid};
    request.reserve.terms.expires_ms = (uint32_t)((wanted->expires_at ? wanted->expires_at - now : 0) / MS);
    (void)snprintf(request.reserve.terms.name, sizeof request.reserve.terms.name, "%s", names[number]);
    if (ask(jobs, &request, expected_of_reserve(jobs, number, wanted)) && is_new) {
        *job = *wanted;
        job->state = JOB_MADE;
        job->first_groups = job->groups;
        job->changed_at = jobs->reserved_at = now;
    }
}

static struct job drawn(struct jobs *jobs, uint64_t now)
{
    struct job job = {.bytes = (1 + random_below(&jobs->state, BYTES_MAX_MIB)) * MIB};
    for (uint64_t i = random_below(&jobs->state, 3); i > 0; i--) {
        job.groups |= 1U << random_below(&jobs->state, GROUPS);
    }
    job.uid = random_below(&jobs->state, 4) ? 0 : 1000 + (uint32_t)random_below(&jobs->state, 3);
    job.expires_at = random_below(&jobs->state, 4) ? 0 : now + (1 + random_below(&jobs->state, 20000)) * MS;
    return job;
}

static void reserve_some(struct jobs *jobs, int number, uint64_t now)
{
    const struct job *job = &jobs->jobs[number];
    struct job wanted = drawn(jobs, now);
    if (job->state == JOB_MADE && random_below(&jobs->state, 2)) { /* the same again */
        wanted = *job;
        wanted.groups = job->first_groups;
        wanted.expires_at = 0;
    }
    reserve(jobs, number, &wanted, now);
}

static void attach(struct jobs *jobs, int number, uint64_t now)
{
    const char *paths[GROUPS];
    struct job *job = &jobs->jobs[number];
    unsigned mask = 1U << random_below(&jobs->state, GROUPS);
    struct request request = {.kind = REQUEST_ATTACH};
    request.attach.groups = list_of(mask, paths);
    (void)snprintf(request.attach.name, sizeof request.attach.name, "%s", names[number]);
    enum error_code expected = job->state != JOB_MADE         ? ERROR_NO_SUCH_RESERVATION
                               : is_taken(jobs, mask, number) ? ERROR_BUSY
                                                              : ERROR_UNSPECIFIED;
    if (ask(jobs, &request, expected)) {
        job->groups |= mask;
        job->changed_at = now;
    }
}

static void suspend(struct jobs *jobs, int number, bool ends, uint64_t now)
{
    struct job *job = &jobs->jobs[number];
    struct request request = {.kind = REQUEST_SUSPEND, .suspend = {.ends = ends}};
    (void)snprintf(request.suspend.name, sizeof request.suspend.name, "%s", names[number]);
    if (ask(jobs, &request, job->state == JOB_MADE ? ERROR_UNSPECIFIED : ERROR_NO_SUCH_RESERVATION)) {
        job->suspended_at = ends ? 0 : job->suspended_at ? job->suspended_at : now;
    }
}

static void is_given_up(struct job *job, uint64_t at)
{
    job->state = JOB_GIVEN_UP;
    job->changed_at = at;
}

static void unreserve(struct jobs *jobs, int number, uint64_t now)
{
    struct request request = {.kind = REQUEST_UNRESERVE};
    (void)snprintf(request.unreserve.name, sizeof request.unreserve.name, "%s", names[number]);
    (void)ask(jobs, &request, ERROR_UNSPECIFIED);
    if (jobs->jobs[number].state == JOB_MADE) {
        is_given_up(&jobs->jobs[number], now);
    }
}

/* ---- looking ---- */

static int number_of(const char *name)
{
    int number = 0;
    while (number < JOBS && strcmp(name, names[number]) != 0) {
        number++;
    }
    cr_assert_lt(number, JOBS, "there is a reservation %s", name);
    return number;
}

/* Those that expired were given up; each other one is as it was left. */
static void look(struct jobs *jobs, uint64_t now, uint64_t ids[JOBS])
{
    const struct identity viewer = {.uid = getuid()};
    struct reservation_entry entries[JOBS];
    bool more, listed[JOBS] = {false};
    size_t count = broker_list_reservations(jobs->kind->broker(jobs->shell), &viewer, 0, now, entries, JOBS, &more);
    for (size_t i = 0; i < count; i++) {
        int number = number_of(entries[i].name);
        struct job *job = &jobs->jobs[number];
        listed[number] = true;
        ids[number] = entries[i].reservation;
        if (job->state == JOB_MADE && entries[i].is_over) {
            cr_assert(job->expires_at && job->expires_at <= now, "%s was given up by nobody", names[number]);
            is_given_up(job, now);
        }
        cr_assert(job->state == (entries[i].is_over ? JOB_GIVEN_UP : JOB_MADE));
        cr_assert(job->state != JOB_MADE || !job->expires_at || now < job->expires_at + LATE_MS * MS);
        cr_assert_eq(entries[i].is_suspended, job->suspended_at != 0);
    }
    for (int i = 0; i < JOBS; i++) {
        cr_assert_eq(listed[i], jobs->jobs[i].state != JOB_NONE, "%s", names[i]);
    }
}

/* A process is below each group above its own, too. */
static unsigned with_those_below(unsigned mask)
{
    return mask | (mask & (1U << 3) ? 1U << 4 : 0);
}

static void forget_empty(struct jobs *jobs, unsigned inhabited, const uint64_t ids[JOBS])
{
    uint64_t empty[JOBS];
    size_t count = 0;
    for (int i = 0; i < JOBS; i++) {
        struct job *job = &jobs->jobs[i];
        if (job->state == JOB_GIVEN_UP && !(with_those_below(job->groups) & inhabited)) {
            empty[count++] = ids[i];
            *job = (struct job){.state = JOB_NONE};
        }
    }
    if (count) {
        jobs->forgotten += (unsigned)count;
        jobs->kind->empty(jobs->shell, empty, count);
    }
}

void jobs_act(struct jobs *jobs, unsigned inhabited, uint64_t now)
{
    uint64_t ids[JOBS] = {0}, what = random_below(&jobs->state, 12);
    int number = (int)random_below(&jobs->state, JOBS);
    look(jobs, now, ids);
    if (what < 4) {
        reserve_some(jobs, number, now);
    } else if (what < 6) {
        attach(jobs, number, now);
    } else if (what < 9) {
        suspend(jobs, number, random_below(&jobs->state, 2), now);
    } else if (what < 10) {
        unreserve(jobs, number, now);
    } else {
        forget_empty(jobs, inhabited, ids);
    }
    jobs->next_at = now + (1 + random_below(&jobs->state, 3000)) * MS;
}

void jobs_end(struct jobs *jobs, uint64_t now)
{
    uint64_t ids[JOBS] = {0};
    for (int i = 0; i < JOBS; i++) {
        unreserve(jobs, i, now);
    }
    look(jobs, now, ids);
    forget_empty(jobs, 0, ids);
    look(jobs, now, ids);
    jobs->next_at = UINT64_MAX;
    jobs->kind->die(jobs->shell, SCHEDULER);
}

/* ---- what members may expect ---- */

/* Of several, the one with the path that has more names. */
const struct job *jobs_of(const struct jobs *jobs, unsigned group, uint32_t uid)
{
    const struct job *found = NULL;
    unsigned own = 1U << group, above = group == 4 ? 1U << 3 : 0;
    for (int i = 0; i < JOBS; i++) {
        const struct job *job = &jobs->jobs[i];
        bool is_member = job->state != JOB_NONE && (!job->uid || job->uid == uid);
        if (is_member && (job->groups & own || (!found && job->groups & above))) {
            found = job;
        }
    }
    return found;
}

bool job_may_grant(const struct job *job, uint64_t now)
{
    return job->state != JOB_GIVEN_UP || now <= job->changed_at + (LATE_MS + LOOK_MS) * MS;
}

bool job_holds(const struct job *job, uint64_t frozen_at, uint64_t now)
{
    bool is_frozen = frozen_at && now > frozen_at + LOOK_MS * MS;
    bool is_suspended = job->suspended_at && now < job->suspended_at + WORLD_HOLD_MS * MS;
    bool is_certain = !job->expires_at || now < job->expires_at;
    return job->state == JOB_MADE && is_certain && now > job->changed_at + LOOK_MS * MS && (is_frozen || is_suspended);
}
