/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that work for the daemon: a dead one is replaced, and each ends in good order. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/publishing.h"

#define MIB UINT64_C(1048576)

TestSuite(workers, .timeout = 60);

static struct fixture fixture;

static void acquire_and_release(int fd)
{
    struct reply reply;
    int segment;
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    acquire.acquire = (struct acquire_request){.bytes = MIB, .location = LOCATION_MMAP, .numa_node = -1};
    cr_assert(fixture_exchange(fd, &acquire, &reply, &segment) && reply.kind == REPLY_GRANT);
    struct request release = {.kind = REQUEST_RELEASE, .release_lease = reply.grant.lease};
    (void)close(segment);
    cr_assert(fixture_exchange(fd, &release, &reply, NULL) && reply.kind == REPLY_DONE);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
}

static int session(void)
{
    struct reply reply;
    int control;
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, false, &reply, &control));
    (void)close(control);
    return fd;
}

/* The n-th process that a process has forked; 0: it has not so many. */
static pid_t child_of(pid_t parent, int number)
{
    char path[64];
    int child = 0, read = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *file = fopen(path, "re");
    while (file && read <= number && fscanf(file, "%d", &child) == 1) {
        read++;
    }
    if (file) {
        (void)fclose(file);
    }
    return read > number ? child : 0;
}

/* The nursery is the daemon's first child, and is replaced when another worker is needed. */
static void kill_nursery(void)
{
    pid_t nursery = child_of(fixture.daemon, 0);
    cr_assert(nursery > 0 && kill(nursery, SIGKILL) == 0);
    while (child_of(fixture.daemon, 0) == nursery) {
        sleep_ms(1);
    }
}

static void kill_workers(pid_t nursery)
{
    pid_t worker;
    while ((worker = child_of(nursery, 0)) > 0) {
        (void)kill(worker, SIGKILL);
        while (child_of(nursery, 0) == worker) {
            sleep_ms(1);
        }
    }
}

Test(workers, that_die_are_replaced_and_nothing_is_lost)
{
    fixture_start(&fixture, "");
    cleanup(fd_closep) int fd = session();
    pid_t nursery = child_of(fixture.daemon, 0);
    for (int round = 0; round < 3; round++) {
        kill_workers(nursery);
        acquire_and_release(fd);
    }
    kill_workers(nursery);
    kill_nursery();
    acquire_and_release(fd);
    fixture_stop(&fixture);
}

/* A worker that the nursery made just before it died lives on, and no other one is needed then. Needs a subreaper. */
static void kill_orphans(void)
{
    for (int i = 0; child_of(getpid(), i) > 0;) {
        pid_t child = child_of(getpid(), i);
        if (child == fixture.daemon) {
            i++;
        } else {
            (void)kill(child, SIGKILL);
            (void)waitpid(child, NULL, 0);
        }
    }
}

/* Lets a stopped nursery and its workers end one after the other, so that this process is told of each. */
static void end_nursery(pid_t nursery, const pid_t *workers, int count)
{
    for (int i = -1; i < count; i++) {
        int status;
        pid_t child = i < 0 ? nursery : workers[i];
        (void)kill(child, SIGCONT);
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_expect(!WIFSIGNALED(status), "%s: signal %d", i < 0 ? "nursery" : "worker", WTERMSIG(status));
    }
}

/* A replaced nursery is forked from a daemon that has threads by then, which its exit must not wait for. */
Test(workers, of_a_replaced_nursery_exit_in_good_order)
{
    int count = 0;
    pid_t worker, workers[16];
    cr_assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    fixture_start(&fixture, "");
    int fd = session();
    acquire_and_release(fd);
    kill_workers(child_of(fixture.daemon, 0));
    kill_nursery();
    kill_orphans();
    acquire_and_release(fd);
    pid_t nursery = child_of(fixture.daemon, 0);
    cr_assert(nursery > 0 && kill(nursery, SIGSTOP) == 0);
    while (count < 16 && (worker = child_of(nursery, count)) > 0) {
        cr_assert(kill(worker, SIGSTOP) == 0);
        workers[count++] = worker;
    }
    cr_assert(count > 0, "there are workers");
    (void)close(fd);
    fixture_discard(&fixture); /* the daemon ignores its children's ends, so it must be gone before theirs */
    end_nursery(nursery, workers, count);
}

/* ---- what takes long is theirs ---- */

/* Of a nursery, and it: none is missed if some end meanwhile. */
static void signal_workers(pid_t nursery, int signal)
{
    enum { PROCESSES = 32 };
    pid_t processes[PROCESSES] = {nursery};
    int count = 1;
    cr_assert(nursery > 0);
    while (count < PROCESSES && (processes[count] = child_of(nursery, count - 1)) > 0) {
        count++;
    }
    for (int i = 0; i < count; i++) {
        cr_assert(kill(processes[i], signal) == 0);
    }
}

/* What they had to do is forgotten with them: in the build with sanitizers, a daemon that forgets none of it fails. */
Test(workers, may_be_busy_when_the_daemon_ends)
{
    int status;
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    acquire.acquire = (struct acquire_request){.bytes = MIB, .location = LOCATION_MMAP, .numa_node = -1};
    fixture_start(&fixture, "");
    pid_t nursery = child_of(fixture.daemon, 0);
    int fd = session();
    signal_workers(nursery, SIGSTOP);
    cr_assert(fixture_send(fd, &acquire));
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == MIB);
    cr_assert(kill(fixture.daemon, SIGTERM) == 0);
    cr_assert(waitpid(fixture.daemon, &status, 0) == fixture.daemon); /* after the ten seconds that it gives them */
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "its log: %s", fixture.log);
    signal_workers(nursery, SIGCONT);
    (void)close(fd);
    fixture_remove(&fixture);
}

/* To seal 1 GiB takes milliseconds, and much longer while something has pinned it: never in the loop. */
Test(workers, prove_that_a_block_can_not_be_written_while_the_loop_serves_others)
{
    fixture_start(&fixture, "");
    struct party publisher = party_open(&fixture), reader = party_open(&fixture);
    struct written first = party_publish_new(&publisher, "first", LIFETIME_SESSION, 1);
    struct written second = party_write(&publisher, LOCATION_RAM, 2);
    struct request publish = {.id = 99, .kind = REQUEST_PUBLISH}, ping = {.kind = REQUEST_PING};
    struct reply reply;
    publish.publish = (struct publish_request){.lease = second.lease, .name = "second"};
    written_give_up(&second);
    signal_workers(child_of(fixture.daemon, 0), SIGSTOP);
    cr_assert(fixture_send(publisher.socket, &publish));
    for (int i = 0; i < 10; i++) {
        cr_expect_eq(party_ask(&reader, &ping, &reply), ERROR_UNSPECIFIED);
        cr_expect_eq(party_attach(&reader, "second", 0).code, ERROR_NO_SUCH_BLOCK, "nobody has proven it");
    }
    signal_workers(child_of(fixture.daemon, 0), SIGCONT);
    struct attached attached = party_attach(&reader, "second", 20000);
    cr_expect_eq(attached.code, ERROR_UNSPECIFIED);
    attached_close(&attached);
    written_close(&first);
    written_close(&second);
    party_close(&publisher);
    party_close(&reader);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
}
