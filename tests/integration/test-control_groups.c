/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes by control group, with real groups: of cgroup v2 and of a v1 hierarchy, whichever this machine has mounted. A
 * test makes groups below the root of the hierarchy and needs root for that; it says so where it can't.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/manager.h"

enum { PATH_BYTES = 512 };

static char top[PATH_BYTES];  /* the directory of the group that everything here is below */
static char name[64];         /* of that group */
static char path[PATH_BYTES]; /* of that group, as the daemon sees it */

/* ---- groups ---- */

/* Where a hierarchy is mounted: v2, or any of v1. False: nowhere. */
static bool find_mount(const char *type, char ret[PATH_BYTES])
{
    char line[1024], where[PATH_BYTES], what[64];
    bool found = false;
    FILE *mounts = fopen("/proc/mounts", "re");
    while (mounts && !found && fgets(line, sizeof line, mounts)) {
        found = sscanf(line, "%*s %511s %63s", where, what) == 2 && strcmp(what, type) == 0;
    }
    if (mounts) {
        (void)fclose(mounts);
    }
    (void)snprintf(ret, PATH_BYTES, "%s", found ? where : "");
    return found;
}

static bool move_to(const char *group)
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
    FILE *groups = move_to(top) ? fopen("/proc/self/cgroup", "re") : NULL;
    while (groups && fgets(line, sizeof line, groups)) {
        char *own = strchr(line, '/');
        line[strcspn(line, "\n")] = '\0';
        if (own && strlen(own) > strlen(name) && strcmp(own + strlen(own) - strlen(name), name) == 0) {
            (void)!write(out, own, strlen(own));
            _exit(0);
        }
    }
    _exit(1);
}

static bool make_groups(const char *type)
{
    char mount[PATH_BYTES], below[PATH_BYTES + 16];
    int result[2], status = 1;
    if (!find_mount(type, mount)) {
        return false;
    }
    (void)snprintf(name, sizeof name, "membrokertest%d.slice", getpid());
    (void)snprintf(top, sizeof top, "%.400s/%s", mount, name);
    (void)snprintf(below, sizeof below, "%s/below", top);
    if (mkdir(top, 0755) < 0 || mkdir(below, 0755) < 0 || pipe(result) < 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        learn_path(result[1]);
    }
    (void)waitpid(child, &status, 0);
    (void)close(result[1]);
    ssize_t length = read(result[0], path, sizeof path - 1);
    (void)close(result[0]);
    path[length > 0 ? length : 0] = '\0';
    return status == 0 && length > 0;
}

static void remove_groups(void)
{
    char below[PATH_BYTES + 16];
    if (top[0]) {
        (void)snprintf(below, sizeof below, "%s/below", top);
        for (int i = 0; i < 200 && rmdir(below) < 0 && errno == EBUSY; i++) {
            sleep_ms(5);
        }
        for (int i = 0; i < 200 && rmdir(top) < 0 && errno == EBUSY; i++) {
            sleep_ms(5);
        }
    }
}

TestSuite(control_groups, .timeout = 120, .fini = remove_groups);

static void need_groups(const char *type)
{
    if (geteuid() != 0) {
        cr_skip("making control groups needs root");
    }
    if (!make_groups(type)) {
        cr_skip("no group can be made in a hierarchy of %s here", type);
    }
}

/* ---- clients ---- */

struct member {
    pid_t pid;
    int orders, done; /* our ends of two pipes; a byte: it is connected, or has moved */
};

static void live(const struct fixture *fixture, const char *group, int orders, int done)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    mb_lease *lease;
    char byte;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    options.socket = fixture->socket;
    options.name = "member";
    if (!move_to(group) || mb_connect(&options, &client) < 0 || mb_acquire(client, 4096, NULL, &lease) < 0 ||
        write(done, "c", 1) != 1) {
        _exit(1);
    }
    while (read(orders, &byte, 1) == 1) {
        if (!move_to(top) || write(done, "m", 1) != 1) {
            _exit(1);
        }
    }
    _exit(0);
}

/* Connects, with a lease, from within this group. */
static struct member member_in(const struct fixture *fixture, const char *group)
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

static void move_itself_up(const struct member *member)
{
    char byte;
    cr_assert(write(member->orders, "m", 1) == 1 && read(member->done, &byte, 1) == 1);
}

static void end_member(const struct member *member)
{
    int status = 1;
    (void)close(member->orders);
    (void)waitpid(member->pid, &status, 0);
    (void)close(member->done);
    cr_expect_eq(status, 0);
}

/* The one session's class, and why. */
static void expect_class(const struct fixture *fixture, const char *class, enum class_rule rule, const char *pattern)
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

/* ---- what a group means ---- */

static void join_class(const char *type)
{
    struct fixture fixture;
    char settings[3 * PATH_BYTES], pattern[PATH_BYTES + 8], below[PATH_BYTES + 8];
    need_groups(type);
    bool is_slice = strrchr(path, '/') == path; /* else the machine has us in a part of the hierarchy */
    (void)snprintf(pattern, sizeof pattern, "%s", is_slice ? name : path);
    (void)snprintf(below, sizeof below, "%s/below", top);
    (void)snprintf(settings, sizeof settings, "[class by-name]\nclients = member\n[class job]\nslices = /nowhere %s\n",
                   pattern);
    fixture_start(&fixture, settings);
    struct member member = member_in(&fixture, below);
    expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    end_member(&member);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    (void)snprintf(settings, sizeof settings, "[class by-name]\nclients = member\n[class job]\nslices = %s/*/x\n",
                   path);
    fixture_write_config(&fixture, settings);
    cr_assert(kill(fixture.daemon, SIGHUP) == 0);
    WAIT_UNTIL(fixture_log_has(&fixture, "reloaded"));
    member = member_in(&fixture, below);
    expect_class(&fixture, "by-name", CLASS_RULE_CLIENTS, "member");
    end_member(&member);
    fixture_stop(&fixture);
}

Test(control_groups, a_group_of_version_2_gives_a_class)
{
    join_class("cgroup2");
}

Test(control_groups, a_group_of_version_1_gives_a_class)
{
    join_class("cgroup");
}

Test(control_groups, a_client_that_moves_keeps_its_class_until_a_restart_or_its_end)
{
    struct fixture fixture;
    static struct manager manager;
    char settings[2 * PATH_BYTES], pattern[PATH_BYTES + 8], below[PATH_BYTES + 8];
    need_groups("cgroup2");
    (void)snprintf(below, sizeof below, "%s/below", top);
    (void)snprintf(pattern, sizeof pattern, "%s/be*", path);
    (void)snprintf(settings, sizeof settings, "[class job]\nslices = %s\n", pattern);
    manager_start(&manager, &fixture, "membrokerd", NULL, settings);
    struct member member = member_in(&fixture, below);
    expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    manager_restart(&manager, SIGKILL);
    expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    move_itself_up(&member);
    expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    cr_assert(kill(fixture.daemon, SIGHUP) == 0);
    WAIT_UNTIL(fixture_log_has(&fixture, "reloaded"));
    expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    manager_restart(&manager, SIGKILL);
    expect_class(&fixture, "default", CLASS_RULE_DEFAULT, "");
    end_member(&member);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    manager_stop(&manager);
}

/* ---- who tries to cheat ---- */

/* A process in the group connects a socket that another one holds, and ends before the daemon looks. */
Test(control_groups, who_ended_before_the_reading_leaves_no_session)
{
    struct fixture fixture;
    struct reply reply;
    char settings[2 * PATH_BYTES];
    int status = 1;
    need_groups("cgroup2");
    (void)snprintf(settings, sizeof settings, "[class job]\nslices = %s\n", path);
    fixture_start(&fixture, settings);
    cleanup(fd_closep) int pair = -1;
    int carriers[2];
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, carriers) == 0);
    cr_assert(kill(fixture.daemon, SIGSTOP) == 0);
    pid_t child = fork();
    if (child == 0) {
        int socket = move_to(top) ? fixture_socket(&fixture) : -1;
        char mark = 'x';
        struct iovec data = {&mark, 1};
        union {
            struct cmsghdr header;
            char space[CMSG_SPACE(sizeof(int))];
        } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
        memcpy(CMSG_DATA(&control.header), &socket, sizeof socket);
        const struct msghdr message = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        _exit(socket >= 0 && sendmsg(carriers[1], &message, 0) == 1 ? 0 : 1);
    }
    cr_assert(waitpid(child, &status, 0) == child && status == 0);
    char byte, space[CMSG_SPACE(sizeof(int))];
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    cr_assert(recvmsg(carriers[0], &message, 0) == 1 && CMSG_FIRSTHDR(&message));
    memcpy(&pair, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof pair);
    cr_assert(kill(fixture.daemon, SIGCONT) == 0);
    (void)fixture_hello(pair, false, &reply, NULL); /* a session that ends immediately, or none: kernels differ */
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    (void)close(carriers[0]);
    (void)close(carriers[1]);
    fixture_stop(&fixture);
}

/* ---- groups that are nested so deep that the kernel does not say where a process is ---- */

enum { LEVELS = 18, LEVEL_BYTES = 240 };

static int deep[LEVELS + 1]; /* directories */
static char level[LEVEL_BYTES + 1];

static void dig(void)
{
    memset(level, 'd', LEVEL_BYTES);
    deep[0] = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < LEVELS; i++) {
        cr_assert(mkdirat(deep[i], level, 0755) == 0);
        deep[i + 1] = openat(deep[i], level, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_assert(deep[i + 1] >= 0);
    }
}

static void fill_in(void)
{
    for (int i = LEVELS; i-- > 0;) {
        (void)close(deep[i + 1]);
        for (int tries = 0; tries < 200 && unlinkat(deep[i], level, AT_REMOVEDIR) < 0 && errno == EBUSY; tries++) {
            sleep_ms(5);
        }
    }
    (void)close(deep[0]);
}

static int hide(const struct fixture *fixture)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    char pid[16];
    int length = snprintf(pid, sizeof pid, "%d", getpid());
    int fd = openat(deep[LEVELS], "cgroup.procs", O_WRONLY | O_CLOEXEC);
    options.socket = fixture->socket;
    if (fd < 0 || write(fd, pid, (size_t)length) != length) {
        return 1;
    }
    return mb_connect(&options, &client) == 0 ? 2 : strstr(mb_last_error(), "control groups are too long") ? 0 : 3;
}

Test(control_groups, a_group_that_is_nested_too_deep_is_no_way_out_of_a_class)
{
    struct fixture fixture;
    int status = -1;
    need_groups("cgroup2");
    fixture_start(&fixture, "");
    dig();
    pid_t child = fixture_fork(hide, &fixture);
    (void)waitpid(child, &status, 0);
    fill_in();
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
    cr_expect_eq(fixture_status(&fixture).sessions, 0);
    fixture_stop(&fixture);
}
