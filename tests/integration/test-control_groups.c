/* SPDX-License-Identifier: Apache-2.0 */
/* Classes by control group, with real groups: of cgroup v2 and of a v1 hierarchy, if this machine has them mounted. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/manager.h"
#include "tests/integration/members.h"

TestSuite(control_groups, .timeout = 120, .fini = members_remove_groups);

/* ---- what a group means ---- */

static void join_class(const char *type)
{
    struct fixture fixture;
    char settings[3 * PATH_BYTES], pattern[PATH_BYTES + 8];
    members_need_groups(type);
    bool is_slice = strrchr(members_path, '/') == members_path; /* else the machine has us in a part of the hierarchy */
    (void)snprintf(pattern, sizeof pattern, "%s", is_slice ? members_name : members_path);
    (void)snprintf(settings, sizeof settings, "[class by-name]\nclients = member\n[class job]\nslices = /nowhere %s\n",
                   pattern);
    fixture_start(&fixture, settings);
    struct member member = member_in(&fixture, members_below);
    members_expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    member_end(&member);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    (void)snprintf(settings, sizeof settings, "[class by-name]\nclients = member\n[class job]\nslices = %s/*/x\n",
                   members_path);
    fixture_write_config(&fixture, settings);
    cr_assert(kill(fixture.daemon, SIGHUP) == 0);
    WAIT_UNTIL(fixture_log_has(&fixture, "reloaded"));
    member = member_in(&fixture, members_below);
    members_expect_class(&fixture, "by-name", CLASS_RULE_CLIENTS, "member");
    member_end(&member);
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
    char settings[2 * PATH_BYTES], pattern[PATH_BYTES + 8];
    members_need_groups("cgroup2");
    (void)snprintf(pattern, sizeof pattern, "%s/be*", members_path);
    (void)snprintf(settings, sizeof settings, "[class job]\nslices = %s\n", pattern);
    manager_start(&manager, &fixture, "membrokerd", NULL, settings);
    struct member member = member_in(&fixture, members_below);
    members_expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    manager_restart(&manager, SIGKILL);
    members_expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    member_move_up(&member);
    members_expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    cr_assert(kill(fixture.daemon, SIGHUP) == 0);
    WAIT_UNTIL(fixture_log_has(&fixture, "reloaded"));
    members_expect_class(&fixture, "job", CLASS_RULE_SLICES, pattern);
    manager_restart(&manager, SIGKILL);
    members_expect_class(&fixture, "default", CLASS_RULE_DEFAULT, "");
    member_end(&member);
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
    members_need_groups("cgroup2");
    (void)snprintf(settings, sizeof settings, "[class job]\nslices = %s\n", members_path);
    fixture_start(&fixture, settings);
    cleanup(fd_closep) int pair = -1;
    int carriers[2];
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, carriers) == 0);
    cr_assert(kill(fixture.daemon, SIGSTOP) == 0);
    pid_t child = fork();
    if (child == 0) {
        int socket = members_move_to(members_top) ? fixture_socket(&fixture) : -1;
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
    deep[0] = open(members_top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
    members_need_groups("cgroup2");
    fixture_start(&fixture, "");
    dig();
    pid_t child = fixture_fork(hide, &fixture);
    (void)waitpid(child, &status, 0);
    fill_in();
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
    cr_expect_eq(fixture_status(&fixture).sessions, 0);
    fixture_stop(&fixture);
}
