/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/members.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

char members_top[PATH_BYTES], members_below[PATH_BYTES + 8], members_name[64], members_path[PATH_BYTES];

/* ---- groups ---- */

/* Where a hierarchy is mounted: v2, or any of v1. False: nowhere. */
static bool find_mount(const char *type, char ret[PATH_BYTES])
{
    char line[1024], where[PATH_BYTES], what[64];
    bool found = false;
    FILE *mounts = fopen("/proc/mounts", "re");
    while (mounts && !found && fgets(line, sizeof line, mounts)) {
        found = sscanf(line, "%*s %511s %63s", where, what) == 2 &&
                (strcmp(what, type) == 0 ||
                 (strcmp(what, "cgroup") == 0 && strcmp(type, "freezer") == 0 && strstr(line, ",freezer")));
    }
    if (mounts) {
        (void)fclose(mounts);
    }
    (void)snprintf(ret, PATH_BYTES, "%s", found ? where : "");
    return found;
}

bool members_move_to(const char *group)
{
    char procs[PATH_BYTES + 32], pid[16];
    (void)snprintf(procs, sizeof procs, "%s/cgroup.procs", group);
    int length = snprintf(pid, sizeof pid, "%d", getpid());
    cleanup(fd_closep) int fd = open(procs, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, pid, (size_t)length) == length;
}

/* The path of the group that ends with our name, as a process in it reads it. */
static void learn_path(int out)
{
    char line[PATH_BYTES];
    FILE *groups = members_move_to(members_top) ? fopen("/proc/self/cgroup", "re") : NULL;
    while (groups && fgets(line, sizeof line, groups)) {
        char *own = strchr(line, '/');
        line[strcspn(line, "\n")] = '\0';
        if (own && strlen(own) > strlen(members_name) &&
            strcmp(own + strlen(own) - strlen(members_name), members_name) == 0) {
            (void)!write(out, own, strlen(own));
            _exit(0);
        }
    }
    _exit(1);
}

static bool make_groups(const char *type)
{
    char mount[PATH_BYTES];
    int result[2], status = 1;
    if (!find_mount(type, mount)) {
        return false;
    }
    (void)snprintf(members_name, sizeof members_name, "membrokertest%d.slice", getpid());
    (void)snprintf(members_top, sizeof members_top, "%.400s/%s", mount, members_name);
    (void)snprintf(members_below, sizeof members_below, "%s/below", members_top);
    if (mkdir(members_top, 0755) < 0 || mkdir(members_below, 0755) < 0 || pipe(result) < 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        learn_path(result[1]);
    }
    (void)waitpid(child, &status, 0);
    (void)close(result[1]);
    ssize_t length = read(result[0], members_path, sizeof members_path - 1);
    (void)close(result[0]);
    members_path[length > 0 ? length : 0] = '\0';
    return status == 0 && length > 0;
}

static bool write_file(const char *name, const char *text)
{
    char path[PATH_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/%s", members_top, name);
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

void members_remove_groups(void)
{
    if (members_top[0]) {
        (void)(write_file("cgroup.freeze", "0") || write_file("freezer.state", "THAWED"));
        for (int i = 0; i < 200 && rmdir(members_below) < 0 && errno == EBUSY; i++) {
            sleep_ms(5);
        }
        for (int i = 0; i < 200 && rmdir(members_top) < 0 && errno == EBUSY; i++) {
            sleep_ms(5);
        }
    }
}

void members_need_groups(const char *type)
{
    if (geteuid() != 0) {
        cr_skip("making control groups needs root");
    }
    if (!make_groups(type)) {
        cr_skip("no group can be made in a hierarchy of %s here", type);
    }
}

void members_freeze(bool is_frozen)
{
    if (!write_file("cgroup.freeze", is_frozen ? "1" : "0") &&
        !write_file("freezer.state", is_frozen ? "FROZEN" : "THAWED")) {
        cr_skip("control groups can't be frozen here");
    }
}

/* ---- clients ---- */

enum { ARGUMENTS_MAX = 16 };

int members_ctl(const struct fixture *fixture, const char *group, ...)
{
    char program[PATH_BYTES], option[] = "--socket", socket[sizeof fixture->socket];
    char *arguments[ARGUMENTS_MAX] = {program, option, socket};
    int status = -1, count = 3;
    va_list list;
    (void)snprintf(socket, sizeof socket, "%s", fixture->socket);
    va_start(list, group);
    while ((arguments[count] = va_arg(list, char *))) {
        cr_assert_lt(++count, ARGUMENTS_MAX);
    }
    va_end(list);
    fixture_program("membrokerctl", program, sizeof program);
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(nowhere, STDOUT_FILENO);
        (void)dup2(nowhere, STDERR_FILENO);
        if (!group || members_move_to(group)) {
            (void)execv(program, arguments);
        }
        _exit(99);
    }
    (void)waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void live(const struct fixture *fixture, const char *group, int orders, int done)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    mb_lease *lease;
    char byte;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    options.socket = fixture->socket;
    options.name = "member";
    if (!members_move_to(group) || mb_connect(&options, &client) < 0 || mb_acquire(client, 4096, NULL, &lease) < 0 ||
        write(done, "c", 1) != 1) {
        _exit(1);
    }
    while (read(orders, &byte, 1) == 1) {
        if (!members_move_to(members_top) || write(done, "m", 1) != 1) {
            _exit(1);
        }
    }
    _exit(0);
}

struct member member_in(const struct fixture *fixture, const char *group)
{
    int orders[2], done[2];
    char byte;
    cr_assert(pipe2(orders, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0);
    struct member member = {.pid = fork(), .orders = orders[1], .done = done[0]};
    if (member.pid == 0) {
        (void)close(orders[1]);
        (void)close(done[0]);
        live(fixture, group, orders[0], done[1]);
    }
    (void)close(orders[0]);
    (void)close(done[1]);
    cr_assert(read(member.done, &byte, 1) == 1, "the client could not connect");
    return member;
}

void member_move_up(const struct member *member)
{
    char byte;
    cr_assert(write(member->orders, "m", 1) == 1 && read(member->done, &byte, 1) == 1);
}

void member_end(const struct member *member)
{
    int status = 1;
    (void)close(member->orders);
    (void)waitpid(member->pid, &status, 0);
    (void)close(member->done);
    cr_expect_eq(status, 0);
}

void members_expect_class(const struct fixture *fixture, const char *class, enum class_rule rule, const char *pattern)
{
    struct request list = {.kind = REQUEST_LIST, .id = 9, .list = {.what = LIST_SESSIONS}};
    struct reply reply;
    cleanup(fd_closep) int monitor = fixture_socket(fixture);
    cr_assert(fixture_hello(monitor, true, &reply, NULL) && fixture_exchange(monitor, &list, &reply, NULL));
    cr_assert(reply.kind == REPLY_LISTING && reply.listing.session_count == 1);
    const struct session_entry *session = &reply.listing.sessions[0];
    cr_expect_str_eq(session->class, class);
    cr_expect_eq(session->class_rule, rule);
    cr_expect_str_eq(session->class_pattern, pattern);
}
