/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations are made and given up while each call that this takes fails in turn. What is answered is so, or nothing
 * was changed; the file is always a whole one, and holds what is in force as soon as it can be written.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/faults/faults.h"
#include "tests/integration/manager.h"

TestSuite(reserving, .timeout = 7200);

static struct manager manager;
static struct fixture fixture;
static int link_fd = -EBADF; /* a connection that is there before a fault strikes */
static char name[16];        /* of the reservation that the fault is for */

#define SETTINGS "[limits]\nmax_physical_bytes = 64M\n[reservations]\nmax_count = 1024\n"
#define FIRST    "0 4096 0 0 0 0 0 0 1 1 " /* of a line: its numbers */

static void greet(void)
{
    struct timeval patience = {.tv_sec = 10};
    struct reply reply;
    (void)fd_close(link_fd);
    link_fd = fixture_socket(&fixture);
    cr_assert(link_fd >= 0 && setsockopt(link_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    cr_assert(fixture_hello(link_fd, true, &reply, NULL), "%s", fault_at);
}

/* What became of a request. */
enum outcome { OUTCOME_DONE, OUTCOME_REFUSED, OUTCOME_UNKNOWN };

static enum outcome ask(struct request *request)
{
    struct reply reply;
    if (!fixture_exchange(link_fd, request, &reply, NULL)) {
        return OUTCOME_UNKNOWN;
    }
    return reply.kind == REPLY_DONE ? OUTCOME_DONE : OUTCOME_REFUSED;
}

static enum outcome reserve(void)
{
    static const char *const paths[] = {name};
    struct request request = {.kind = REQUEST_RESERVE, .id = 7};
    request.reserve.terms.bytes = 4096;
    (void)snprintf(request.reserve.terms.name, sizeof request.reserve.terms.name, "%s", name + 1);
    request.reserve.groups = (struct control_group_list){paths, 1};
    return ask(&request);
}

static enum outcome unreserve(void)
{
    struct request request = {.kind = REQUEST_UNRESERVE, .id = 8};
    (void)snprintf(request.unreserve.name, sizeof request.unreserve.name, "%s", name + 1);
    return ask(&request);
}

/* Whether the reservation exists and was not given up; *ret_all is how many there are. */
static bool is_in_force(size_t *ret_all)
{
    struct request list = {.kind = REQUEST_LIST, .id = 9, .list = {.what = LIST_RESERVATIONS}};
    struct reply reply;
    bool found = false;
    *ret_all = 0;
    do {
        cr_assert(fixture_exchange(link_fd, &list, &reply, NULL) && reply.kind == REPLY_LISTING, "%s", fault_at);
        for (size_t i = 0; i < reply.listing.reservation_count; i++) {
            const struct reservation_entry *entry = &reply.listing.reservations[i];
            found = found || (strcmp(entry->name, name + 1) == 0 && !entry->is_over);
            list.list.after = entry->reservation;
        }
        *ret_all += reply.listing.reservation_count;
    } while (reply.listing.more);
    return found;
}

/* ---- the file ---- */

static bool is_line(const char *line, size_t number)
{
    static const char head[] = "membroker reservations 1 ";
    unsigned flags;
    return number == 0       ? strncmp(line, head, sizeof head - 1) == 0
           : number % 2 == 1 ? sscanf(line, "%u 4096 ", &flags) == 1 && strstr(line, " r")
                             : line[0] == '/' && line[1] == 'r';
}

/* Reads all of it; a missing one has nothing in it. *ret_all is how many are in it. */
static bool is_in_file(size_t *ret_all)
{
    char path[160], line[256];
    bool found = false;
    size_t lines = 0;
    (void)snprintf(path, sizeof path, "%s.reservations", fixture.socket);
    FILE *file = fopen(path, "re");
    for (; file && fgets(line, sizeof line, file); lines++) {
        cr_assert(strchr(line, '\n') && is_line(line, lines), "%s: line %zu is \"%s\"", fault_at, lines, line);
        line[strcspn(line, "\n")] = '\0';
        found =
            found || (strncmp(line, FIRST, sizeof FIRST - 1) == 0 && strcmp(line + sizeof FIRST - 1, name + 1) == 0);
    }
    if (file) {
        (void)fclose(file);
        cr_assert_eq(lines % 2, 1, "%s: the file ends within a reservation", fault_at);
    }
    *ret_all = lines / 2;
    return found;
}

static void expect_nothing_beside(void)
{
    char beside[160];
    (void)snprintf(beside, sizeof beside, "%s.reservations.new", fixture.socket);
    cr_assert(access(beside, F_OK) < 0, "%s: a new file is left beside the old", fault_at);
}

/* ---- the sweep ---- */

static bool is_part_of_reserving(const struct fault *fault)
{
    static const enum fault_call calls[] = {FAULT_open,   FAULT_write,   FAULT_fsync,  FAULT_rename,
                                            FAULT_close,  FAULT_read,    FAULT_unlink, FAULT_malloc,
                                            FAULT_calloc, FAULT_realloc, FAULT_mkdir};
    bool found = false;
    for (size_t i = 0; !found && i < sizeof calls / sizeof *calls; i++) {
        found = calls[i] == fault->call;
    }
    return found;
}

/* What was answered is in force; `was` is what would be if nothing had changed. */
static void expect(enum outcome outcome, bool was)
{
    size_t listed, written;
    bool is_there = is_in_force(&listed), is_done = is_there != was;
    cr_assert(outcome == OUTCOME_UNKNOWN || is_done == (outcome == OUTCOME_DONE), "%s: it is %sin force", fault_at,
              is_there ? "" : "not ");
    (void)is_in_file(&written);
    expect_nothing_beside();
}

static enum outcome met(enum outcome outcome)
{
    if (outcome == OUTCOME_UNKNOWN) {
        manager_wait(&manager);
        greet();
    }
    return outcome;
}

/* It strikes the first request, or goes on to the second. */
static void strike(const struct fault *fault)
{
    static unsigned number;
    size_t all;
    if (!is_part_of_reserving(fault)) {
        fault_disarm();
        return;
    }
    (void)snprintf(name, sizeof name, "/r%u", number++);
    enum outcome made = met(reserve());
    bool has_struck = atomic_load(&fault_control->countdown) <= 0;
    if (has_struck) {
        expect(made, false);
    }
    bool is_there = is_in_force(&all);
    enum outcome given_up = met(unreserve());
    fault_disarm();
    expect(is_there ? given_up : OUTCOME_UNKNOWN, is_there);
    cr_assert_eq(unreserve(), OUTCOME_DONE, "%s", fault_at);
}

/* Both agree, each second at the latest. */
static bool is_file_right(void)
{
    size_t listed, written;
    bool is_there = is_in_force(&listed);
    return is_in_file(&written) == is_there && listed == written;
}

static bool are_none_left(void)
{
    size_t all;
    (void)is_in_force(&all);
    return all == 0;
}

static long live_blocks(void)
{
    return atomic_load(&fault_control->live_blocks);
}

Test(reserving, a_reservation_is_made_and_kept_as_answered_or_not_at_all)
{
    sweep_begin();
    manager_start(&manager, &fixture, "membrokerd", NULL, SETTINGS);
    greet();
    (void)snprintf(name, sizeof name, "/rfirst");
    cr_assert(reserve() == OUTCOME_DONE && unreserve() == OUTCOME_DONE);
    WAIT_UNTIL(are_none_left());
    sleep_ms(1100); /* who used much time is remembered for a second */
    long blocks = live_blocks();
    sweep(strike);
    cr_assert_eq(unreserve(), OUTCOME_DONE);
    cr_assert_eq(reserve(), OUTCOME_REFUSED, "its group is looked at first");
    WAIT_UNTIL(is_file_right());
    WAIT_UNTIL(are_none_left());
    WAIT_UNTIL(live_blocks() <= blocks);
    cr_assert_eq(reserve(), OUTCOME_DONE);
    manager_restart(&manager, SIGKILL);
    greet();
    size_t all;
    cr_expect(is_in_force(&all) && all == 1);
    (void)fd_close(link_fd);
    manager_stop(&manager);
    sweep_end();
}
