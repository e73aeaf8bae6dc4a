/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory pressure, told by the service manager (a FIFO here) and by the kernel, whose own triggers are switched off in
 * all tests but one; and whose control group pays for pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

TestSuite(pressure, .timeout = 60);

static char fifo_path[128];
static int fifo;

/* A broker that is told of pressure by what `fifo` gets written. */
static void begin_watched(const char *settings)
{
    char all[1024];
    (void)snprintf(fifo_path, sizeof fifo_path, "/tmp/membroker-pressure-%d", (int)getpid());
    cr_assert(mkfifo(fifo_path, 0600) == 0);
    cr_assert(setenv("MEMORY_PRESSURE_WATCH", fifo_path, 1) == 0);
    (void)snprintf(all, sizeof all, "%s[pressure]\npause_ram_at = some\n", settings);
    fixture_start(&fixture, all);
    fifo = open(fifo_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    cr_assert(fifo >= 0, "the daemon does not read it");
}

static void end_watched(void)
{
    end();
    (void)close(fifo);
    (void)unlink(fifo_path);
}

static void press(void)
{
    cr_assert(write(fifo, "x", 1) == 1);
}

static atomic_int level = -1, events;

static void on_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    if (event->type == MB_EVENT_PRESSURE) {
        level = (int)event->pressure;
        events++;
    }
}

static void connect_watching(void)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = fixture.socket;
    options.on_event = on_event;
    cr_assert(mb_connect(&options, &client) == 0, "%s", mb_last_error());
}

Test(pressure, under_pressure_clients_are_told_the_pool_is_dropped_and_grants_pause)
{
    begin_watched("[pool]\npool_bytes = 16M\nsizes = 8M\n");
    connect_watching();
    mb_lease *lease;
    mb_lease_options automatic = MB_LEASE_OPTIONS_INIT;
    automatic.location = MB_LOCATION_AUTO;
    WAIT_UNTIL(fixture_status(&fixture).pooled_bytes == 8 * MIB);
    cr_expect_eq(mb_client_pressure(client), MB_PRESSURE_NONE);
    press();
    WAIT_UNTIL(level == MB_PRESSURE_SOME);
    cr_expect_eq(mb_client_pressure(client), MB_PRESSURE_SOME);
    cr_expect_eq(fixture_status(&fixture).pooled_bytes, 0);
    cr_expect_eq(mb_acquire(client, MIB, NULL, &lease), -ENOMEM);
    cr_expect(strstr(mb_last_error(), "memory pressure") && strstr(mb_last_error(), "pause_ram_at"), "%s",
              mb_last_error());
    cr_assert(mb_acquire(client, MIB, &automatic, &lease) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_lease_location(lease), MB_LOCATION_MMAP);
    mb_release(lease);
    mb_lease_options patient = MB_LEASE_OPTIONS_INIT;
    patient.wait_ms = 30000;
    cr_assert(mb_acquire(client, MIB, &patient, &lease) == 0, "it ends some seconds after the last word: %s",
              mb_last_error());
    WAIT_UNTIL(level == MB_PRESSURE_NONE); /* its thread is another */
    cr_expect_eq(events, 2);
    mb_release(lease);
    fixture_drain_pool(&fixture);
    end_watched();
}

/* How many lines of the daemon's log have these words. */
static int said(const char *words)
{
    char line[512] = "";
    int count = 0;
    FILE *file = fopen(fixture.log, "re");
    while (file && fgets(line, sizeof line, file)) {
        count += strstr(line, words) != NULL;
    }
    if (file) {
        (void)fclose(file);
    }
    return count;
}

Test(pressure, a_manager_that_hangs_up_is_no_lasting_pressure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/tmp/membroker-pressure-%d", (int)getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
    cr_assert(setenv("MEMORY_PRESSURE_WATCH", address.sun_path, 1) == 0);
    fixture_start(&fixture, "");
    connect_watching();
    int told = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(told >= 0 && write(told, "x", 1) == 1);
    WAIT_UNTIL(level == MB_PRESSURE_SOME);
    (void)close(told);
    WAIT_UNTIL(said("MEMORY_PRESSURE_WATCH has ended") > 0);
    WAIT_UNTIL(level == MB_PRESSURE_NONE);
    cr_expect_eq(said("MEMORY_PRESSURE_WATCH has ended"), 1);
    end();
    (void)close(listener);
    (void)unlink(address.sun_path);
}

Test(pressure, a_manager_may_switch_it_off)
{
    cr_assert(setenv("MEMORY_PRESSURE_WATCH", "/dev/null", 1) == 0);
    begin("");
    cr_expect_eq(said("switched it off"), 1);
    end();
}

Test(pressure, a_missing_watch_is_logged_once_and_the_broker_continues)
{
    cr_assert(setenv("MEMORY_PRESSURE_WATCH", "/nowhere/at/all", 1) == 0);
    begin("");
    cr_expect_eq(said("MEMORY_PRESSURE_WATCH"), 1);
    end();
}

/* ---- control groups ---- */

/* Where this process's memory is accounted; false: nowhere that can be had here. */
static bool own_group(char *path, size_t size)
{
    char line[512];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':') + 1, *where = strchr(controllers, ':') + 1;
        where[strcspn(where, "\n")] = '\0';
        where[-1] = '\0';
        bool unified = *controllers == '\0';
        if (unified || strcmp(controllers, "memory") == 0) {
            (void)snprintf(path, size, "/sys/fs/cgroup%s%s", unified ? "" : "/memory", where);
            char statistics[600];
            (void)snprintf(statistics, sizeof statistics, "%s/memory.stat", path);
            found = access(statistics, R_OK) == 0;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return found;
}

struct group {
    char path[640];
};

static bool group_make(struct group *group, const char *parent, const char *name)
{
    char statistics[700];
    (void)snprintf(group->path, sizeof group->path, "%s/membroker-%d-%s", parent, (int)getpid(), name);
    (void)snprintf(statistics, sizeof statistics, "%s/memory.stat", group->path);
    return mkdir(group->path, 0755) == 0 && access(statistics, R_OK) == 0;
}

static void group_enter(const struct group *group, pid_t pid)
{
    char path[700];
    (void)snprintf(path, sizeof path, "%s/cgroup.procs", group->path);
    FILE *file = fopen(path, "we");
    cr_assert(file && fprintf(file, "%d\n", (int)pid) > 0 && fclose(file) == 0, "%s: %s", path, strerror(errno));
}

/* The process and all its descendants: a daemon's workers. */
static void group_enter_all(const struct group *group, pid_t pid)
{
    char path[64];
    int child;
    group_enter(group, pid);
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    cr_assert(file);
    while (fscanf(file, "%d", &child) == 1) {
        group_enter_all(group, child);
    }
    (void)fclose(file);
}

/* The most memory that the group may have. */
static bool group_limit(const struct group *group, uint64_t bytes)
{
    static const char *const names[] = {"memory.max", "memory.limit_in_bytes"};
    char path[700];
    FILE *file = NULL;
    for (size_t i = 0; !file && i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", group->path, names[i]);
        file = access(path, W_OK) == 0 ? fopen(path, "we") : NULL;
    }
    bool written = file && fprintf(file, "%llu\n", (unsigned long long)bytes) > 0;
    return file && fclose(file) == 0 && written;
}

/* ---- the kernel's own word ---- */

/* Reads a file of four times what its group may have, again and again: it waits for memory most of the time. */
static void thrash(const struct group *group)
{
    enum { FILE_BYTES = 96 << 20, PAGE = 4096 };
    int fd = open("/var/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0 || posix_fallocate(fd, 0, FILE_BYTES) != 0) {
        _exit(1);
    }
    group_enter(group, getpid());
    char *data = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
        _exit(1);
    }
    for (;;) {
        for (size_t at = 0; at < FILE_BYTES; at += PAGE) {
            *(volatile char *)(data + at) += 1;
        }
    }
}

/* There is pressure-stall information, and its triggers are ours to set. */
static bool kernel_tells(void)
{
    return said("does not watch it") == 0;
}

Test(pressure, the_kernel_reports_tasks_that_wait_for_memory)
{
    char parent[600];
    struct group group = {""};
    if (!own_group(parent, sizeof parent) || !group_make(&group, parent, "thrash") || !group_limit(&group, 24 * MIB)) {
        (void)rmdir(group.path);
        cr_skip_test("control groups with a limit of memory can't be made here");
    }
    fixture_start(&fixture, "[pressure]\nsome = 1%\nfull = 0\n[pool]\npool_bytes = 8M\nsizes = 8M\n");
    connect_watching();
    if (kernel_tells()) {
        WAIT_UNTIL(fixture_status(&fixture).pooled_bytes == 8 * MIB);
        pid_t child = fork();
        if (child == 0) {
            thrash(&group);
        }
        WAIT_UNTIL(level == MB_PRESSURE_SOME);
        cr_expect_eq(fixture_status(&fixture).pooled_bytes, 0, "the pool is given up");
        (void)kill(child, SIGKILL);
        int status;
        cr_assert(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        WAIT_UNTIL(level == MB_PRESSURE_NONE);
    }
    WAIT_UNTIL(rmdir(group.path) == 0);
    fixture_drain_pool(&fixture);
    end();
}

/* How many processes of the group the kernel has killed for want of memory. */
static int group_killed(const struct group *group)
{
    static const char *const names[] = {"memory.events", "memory.oom_control"};
    char path[700], line[128];
    int killed = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", group->path, names[i]);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof line, file)) {
            (void)sscanf(line, "oom_kill %d", &killed);
        }
        if (file) {
            (void)fclose(file);
        }
    }
    return killed;
}

/* In a child: asks for filled pages, and keeps them for a moment; whether they are granted does not matter. */
static void ask_filled(uint64_t bytes)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_client *own = fixture_connect(&fixture, 0);
    mb_lease *lease;
    (void)alarm(30); /* if the kernel killed the broker, the call waits for another one */
    options.prefault = 1;
    if (mb_acquire(own, bytes, &options, &lease) == 0) {
        sleep_ms(200);
    }
    _exit(0);
}

/* What is being filled is not in the group's figures yet: requests that come meanwhile must not be granted it, too. */
Test(pressure, filling_pages_stays_below_the_groups_limit)
{
    enum { ASKERS = 12 };
    char parent[600];
    struct group group = {""}, before;
    pid_t askers[ASKERS];
    if (!own_group(parent, sizeof parent) || !group_make(&group, parent, "filled") || !group_limit(&group, 300 * MIB)) {
        (void)rmdir(group.path);
        cr_skip_test("control groups with a limit of memory can't be made here");
    }
    (void)snprintf(before.path, sizeof before.path, "%s", parent);
    fixture_start(&fixture, "");
    group_enter_all(&group, fixture.daemon);
    WAIT_UNTIL(fixture_status(&fixture).host_total_bytes == 300 * MIB); /* the previous value is cached for a moment */
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = fork();
        if (askers[i] == 0) {
            ask_filled(140 * MIB);
        }
        sleep_ms(40);
    }
    for (int i = 0; i < ASKERS; i++) {
        (void)waitpid(askers[i], NULL, 0);
    }
    cr_expect_eq(group_killed(&group), 0, "the kernel killed something for want of memory");
    cr_expect_gt(fixture_status(&fixture).counters.granted, 0, "nothing was granted, so this tests nothing");
    group_enter_all(&before, fixture.daemon);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
    WAIT_UNTIL(rmdir(group.path) == 0);
}

/* This process's own group of the unified hierarchy; false: pressure of groups can't be watched here. */
static bool unified_group(char *path, size_t size)
{
    static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char line[512], group[512] = "";
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "0::%511s", group);
    }
    if (file) {
        (void)fclose(file);
    }
    for (size_t i = 0; *group && i < sizeof mounts / sizeof *mounts; i++) {
        char controllers[640];
        (void)snprintf(path, size, "%s%s", mounts[i], strcmp(group, "/") == 0 ? "" : group);
        (void)snprintf(controllers, sizeof controllers, "%s/cgroup.controllers", path);
        if (access(controllers, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

Test(pressure, a_removed_group_is_no_lasting_pressure_and_another_is_watched)
{
    struct group before = {""}, inner;
    char watched[700];
    bool can = unified_group(before.path, sizeof before.path);
    (void)snprintf(inner.path, sizeof inner.path, "%.500s/membroker-%d-left", before.path, (int)getpid());
    (void)snprintf(watched, sizeof watched, "%s/memory.pressure", inner.path);
    if (!can || mkdir(inner.path, 0755) < 0 || access(watched, W_OK) < 0) {
        (void)rmdir(inner.path);
        cr_skip_test("groups of the unified hierarchy with pressure figures can't be made here");
    }
    group_enter(&inner, getpid());
    fixture_start(&fixture, "[pressure]\nsome = 99%\nfull = 99%\n");
    group_enter(&before, getpid());
    group_enter_all(&before, fixture.daemon);
    connect_watching();
    WAIT_UNTIL(rmdir(inner.path) == 0);
    if (kernel_tells()) {
        WAIT_UNTIL(said("memory pressure (some): the control group that was watched is gone") == 1);
        WAIT_UNTIL(said("memory pressure (full): the control group that was watched is gone") == 1);
    }
    cr_assert(mb_ping(client) == 0);
    cr_expect_eq(events, 0);
    cr_expect_eq(said("is gone"), kernel_tells() ? 2 : 0);
    end();
}

/* ---- who pays ---- */

/* Shared memory that is charged to the group. */
static uint64_t group_shmem(const struct group *group)
{
    char path[700], line[128];
    unsigned long long bytes = 0;
    (void)snprintf(path, sizeof path, "%s/memory.stat", group->path);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "shmem %llu", &bytes);
    }
    (void)fclose(file);
    return bytes;
}

static void expect_charge(const char *name, mb_charge charge, const struct group *payer, const struct group *other)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *named;
    mb_lease *lease;
    void *address;
    uint64_t payer_before = group_shmem(payer), other_before = group_shmem(other);
    options.socket = fixture.socket;
    options.name = name;
    cr_assert(mb_connect(&options, &named) == 0);
    cr_assert(mb_acquire(named, 32 * MIB, NULL, &lease) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_lease_charge(lease), charge, "%s", name);
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    memset(address, 1, 32 * MIB);
    uint64_t paid = group_shmem(payer) - payer_before;
    int64_t by_other = (int64_t)(group_shmem(other) - other_before); /* the kernel counts in batches */
    cr_expect(paid >= 31 * MIB && paid <= 33 * MIB, "%s: %llu bytes", name, (unsigned long long)paid);
    cr_expect(by_other < (int64_t)MIB, "%s: the other pays %lld bytes", name, (long long)by_other);
    mb_disconnect(named);
    WAIT_UNTIL(group_shmem(payer) < payer_before + MIB);
}

Test(pressure, a_class_decides_which_control_group_is_charged)
{
    char parent[600];
    struct group brokers = {""}, clients = {""};
    if (!own_group(parent, sizeof parent) || !group_make(&brokers, parent, "broker") ||
        !group_make(&clients, parent, "client")) {
        (void)rmdir(brokers.path);
        cr_skip_test("control groups with memory figures can't be made here");
    }
    fixture_start(&fixture, "[class b]\nclients = b\ncharge = broker\n[class c]\nclients = c\ncharge = client\n");
    group_enter_all(&brokers, fixture.daemon);
    group_enter(&clients, getpid());
    expect_charge("b", MB_CHARGE_BROKER, &brokers, &clients);
    expect_charge("c", MB_CHARGE_CLIENT, &clients, &brokers);
    struct group old = {""};
    (void)snprintf(old.path, sizeof old.path, "%s", parent);
    group_enter(&old, getpid());
    fixture_stop(&fixture);
    WAIT_UNTIL(rmdir(brokers.path) == 0);
    WAIT_UNTIL(rmdir(clients.path) == 0);
}
