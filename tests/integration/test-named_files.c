/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that programs name themselves, before a daemon that is root: the directory belongs to a hostile user, who puts
 * there what root could open and he could not, and changes it meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "tests/integration/fixture.h"

TestSuite(named_files, .timeout = 120);

enum { ALICE = 4001, BOB = 4002, BYTES = 5000, ROUNDS = 300 };

static struct fixture fixture;
static char directory[64], secret[64]; /* Alice's, where files may be named; root's file, elsewhere */

static char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void write_file(const char *path, uid_t owner, char filling)
{
    char content[BYTES];
    memset(content, filling, sizeof content);
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, content, sizeof content) == sizeof content && fchown(fd, owner, owner) == 0);
}

static void begin_before_root(void)
{
    char settings[128];
    if (geteuid() != 0) {
        cr_skip("being two users needs root");
    }
    strcpy(directory, "/tmp/membroker-named-XXXXXX");
    cr_assert(mkdtemp(directory) && chown(directory, ALICE, ALICE) == 0 && chmod(directory, 0755) == 0);
    strcpy(secret, "/tmp/membroker-secret-XXXXXX");
    (void)close(mkstemp(secret));
    write_file(secret, 0, 'S');
    (void)snprintf(settings, sizeof settings, "[mapped]\nfiles = %s\n", directory);
    fixture_start(&fixture, settings);
    cr_assert(chmod(fixture.socket, 0666) == 0);
}

/* What is root's is as it was, and nothing is in the directory that the test did not remove. */
static void end_before_root(void)
{
    char content[BYTES + 1];
    struct stat status;
    cleanup(fd_closep) int fd = open(secret, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &status) == 0);
    cr_expect(status.st_size == BYTES && status.st_uid == 0 && (status.st_mode & 0777) == 0600 && status.st_nlink == 1);
    cr_expect_eq(read(fd, content, sizeof content), BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        cr_assert_eq(content[i], 'S');
    }
    (void)unlink(secret);
    fixture_stop(&fixture);
    cr_expect(rmdir(directory) == 0, "something was left");
}

static bool become(uid_t uid)
{
    return setgroups(0, NULL) == 0 && setgid(uid) == 0 && setuid(uid) == 0;
}

static int status_of(pid_t child)
{
    int status;
    cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Asks for the file and writes to it. Returns 0, the errno of the refusal, or 255: it got another user's file. */
static int ask(const struct fixture *of, const char *name)
{
    mb_client *client = fixture_connect(of, 0);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *address;
    options.location = MB_LOCATION_MMAP;
    options.file = name;
    int result = -mb_acquire(client, BYTES, &options, &lease);
    if (result == 0) {
        result = -mb_map(lease, 0, &address, NULL);
    }
    if (result == 0) {
        result = *(const char *)address == 'S' ? 255 : 0;
        memset(address, 'A', BYTES);
    }
    mb_disconnect(client);
    return result;
}

static int ask_as(uid_t uid, const char *name)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(become(uid) ? ask(&fixture, name) : 254);
    }
    return status_of(child);
}

static bool is_idle(void)
{
    return fixture_status(&fixture).used_bytes == 0;
}

Test(named_files, a_new_file_belongs_to_its_user)
{
    struct stat status;
    begin_before_root();
    cr_expect_eq(ask_as(ALICE, "mine"), 0);
    cr_assert(lstat(path_of("mine"), &status) == 0);
    cr_expect(S_ISREG(status.st_mode) && (status.st_mode & 07777) == 0600 && status.st_size == BYTES);
    cr_expect(status.st_uid == ALICE && status.st_gid == ALICE);
    WAIT_UNTIL(is_idle());
    cr_expect_eq(ask_as(BOB, "mine"), EACCES);
    cr_expect_eq(ask_as(BOB, "his"), 0, "the directory is Alice's, who is asked is the daemon");
    cr_expect_eq(ask_as(ALICE, "mine"), 0);
    cr_expect(unlink(path_of("mine")) == 0 && unlink(path_of("his")) == 0);
    end_before_root();
}

Test(named_files, anything_but_the_users_own_file_is_refused_and_not_changed)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const char *const names[] = {"link", "dangling", "fifo", "socket", "device", "disk", "hard", "directory"};
    begin_before_root();
    text_copy(address.sun_path, sizeof address.sun_path, path_of("socket"));
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(symlink(secret, path_of("link")) == 0 && symlink("/tmp/nowhere/to/go", path_of("dangling")) == 0);
    cr_assert(mkfifo(path_of("fifo"), 0666) == 0 && mkdir(path_of("directory"), 0777) == 0);
    cr_assert(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    cr_assert(mknod(path_of("device"), S_IFCHR | 0666, makedev(1, 5)) == 0);
    cr_assert(mknod(path_of("disk"), S_IFBLK | 0666, makedev(7, 250)) == 0 || errno == EPERM);
    cr_assert(link(secret, path_of("hard")) == 0, "%s", strerror(errno));
    write_file(path_of("roots"), 0, 'S');
    write_file(path_of("bobs"), BOB, 'S');
    cr_assert(chmod(path_of("bobs"), 0666) == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_assert(lchown(path_of(names[i]), ALICE, ALICE) == 0 || strcmp(names[i], "disk") == 0);
        int result = ask_as(ALICE, names[i]);
        cr_expect(result == EINVAL || (result == 0 && access(path_of("disk"), F_OK) < 0), "%s: %d", names[i], result);
    }
    cr_expect_eq(ask_as(ALICE, "roots"), EACCES);
    cr_expect_eq(ask_as(ALICE, "bobs"), EACCES, "also where she may write to it");
    cr_expect(access("/tmp/nowhere", F_OK) < 0);
    cr_expect(is_idle());
    cr_assert(chown(secret, 0, 0) == 0); /* it was the hard link's as well */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)(unlink(path_of(names[i])) == 0 || rmdir(path_of(names[i])) == 0);
    }
    cr_expect(unlink(path_of("roots")) == 0 && unlink(path_of("bobs")) == 0);
    end_before_root();
}

Test(named_files, a_name_does_not_leave_the_directory)
{
    static const char *const names[] = {"..",     ".",     "../secret", "a/b",           "/etc/passwd",
                                        "./mine", "mine/", ".hidden",   "directory/mine"};
    begin_before_root();
    cr_assert(mkdir(path_of("directory"), 0777) == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_expect_eq(ask_as(ALICE, names[i]), EINVAL, "%s", names[i]);
    }
    cr_expect(rmdir(path_of("directory")) == 0, "nothing was made in it");
    end_before_root();
}

Test(named_files, holes_are_filled_before_the_grant)
{
    struct stat status;
    begin_before_root();
    write_file(path_of("sparse"), ALICE, 'x');
    cr_assert(truncate(path_of("sparse"), 1 << 20) == 0);
    cr_assert(stat(path_of("sparse"), &status) == 0 && status.st_blocks * 512 < 1 << 20);
    cr_expect_eq(ask_as(ALICE, "sparse"), 0);
    cr_assert(stat(path_of("sparse"), &status) == 0);
    cr_expect(status.st_size == 1 << 20 && status.st_blocks * 512 >= 1 << 20, "an existing file sets the size");
    cr_expect(unlink(path_of("sparse")) == 0);
    end_before_root();
}

/* ---- changing it meanwhile ---- */

/* What has the name is in turn her own file, a link to root's, another name of root's, and nothing. */
static void keep_swapping(const char *own)
{
    char other[128], name[128];
    strcpy(other, path_of("other"));
    strcpy(name, path_of("name"));
    for (unsigned turn = 0;; turn++) {
        (void)!(turn % 4 == 0 ? link(own, other) : turn % 4 == 1 ? symlink(secret, other) : link(secret, other));
        if (turn % 4 == 3) {
            (void)unlink(other);
            (void)unlink(name);
        } else if (turn % 4 == 0) {
            (void)rename(other, name);
            (void)unlink(own); /* one name at a time, so that it would be granted */
            (void)!link(name, own);
        } else {
            (void)rename(other, name);
        }
    }
}

static int ask_again_and_again(const struct fixture *of)
{
    int result = 0;
    for (int i = 0; i < ROUNDS && result != 255; i++) {
        result = ask(of, "name");
    }
    return result == 255;
}

/* The one who swaps may make hard links to root's files: as where the kernel does not protect them. */
Test(named_files, a_name_that_is_swapped_never_opens_another_users_file)
{
    char own[128];
    begin_before_root();
    strcpy(own, path_of("own"));
    write_file(own, ALICE, 'A');
    pid_t swapper = fork();
    if (swapper == 0) {
        keep_swapping(own);
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(become(ALICE) ? ask_again_and_again(&fixture) : 254);
    }
    cr_expect_eq(status_of(child), 0);
    (void)kill(swapper, SIGKILL);
    (void)waitpid(swapper, NULL, 0);
    (void)unlink(own);
    (void)unlink(path_of("name"));
    (void)unlink(path_of("other"));
    WAIT_UNTIL(is_idle());
    end_before_root();
}

Test(named_files, the_directory_of_the_start_is_used_after_a_swap)
{
    char aside[80], elsewhere[] = "/tmp/membroker-elsewhere-XXXXXX";
    begin_before_root();
    cr_assert(mkdtemp(elsewhere) && chmod(elsewhere, 0777) == 0);
    (void)snprintf(aside, sizeof aside, "%s.aside", directory);
    cr_assert(rename(directory, aside) == 0 && symlink(elsewhere, directory) == 0);
    cr_expect_eq(ask_as(ALICE, "mine"), 0);
    cr_expect(access(path_of("mine"), F_OK) < 0);
    cr_expect(unlink(directory) == 0 && rename(aside, directory) == 0 && rmdir(elsewhere) == 0);
    cr_expect(unlink(path_of("mine")) == 0);
    end_before_root();
}

static int ask_here(uid_t uid)
{
    int result = ask_as(uid, "mine");
    WAIT_UNTIL(is_idle());
    return result;
}

static void expect_gone(void)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, false, &reply, NULL));
    request.acquire = (struct acquire_request){.bytes = BYTES, .location = LOCATION_MMAP, .numa_node = -1};
    strcpy(request.acquire.file, "mine");
    cr_assert(fixture_exchange(fd, &request, &reply, NULL));
    cr_assert(reply.kind == REPLY_ERROR);
    cr_expect(reply.error.code == ERROR_SYSTEM && reply.error.system_errno == ENOENT, "%s", reply.error.sentence);
    cr_expect(strstr(reply.error.sentence, directory), "it names the directory: %s", reply.error.sentence);
}

Test(named_files, a_directory_that_was_deleted_and_created_again_is_used)
{
    begin_before_root();
    cr_assert_eq(ask_here(ALICE), 0);
    cr_assert(unlink(path_of("mine")) == 0 && rmdir(directory) == 0);
    expect_gone();
    cr_assert(mkdir(directory, 0755) == 0 && chown(directory, ALICE, ALICE) == 0);
    cr_expect_eq(ask_here(ALICE), 0);
    cr_expect(access(path_of("mine"), F_OK) == 0);
    cr_expect(truncate(path_of("mine"), BYTES + 100) == 0 && ask_here(ALICE) == 0, "and its files are measured in it");
    cr_expect(unlink(path_of("mine")) == 0);
    end_before_root();
}

/* What its owner can put in its place after deleting it: a way to directories of root's. */
Test(named_files, only_a_directory_of_the_same_owner_replaces_a_deleted_one)
{
    char elsewhere[] = "/tmp/membroker-elsewhere-XXXXXX";
    begin_before_root();
    cr_assert(mkdtemp(elsewhere) && chown(elsewhere, ALICE, ALICE) == 0);
    cr_assert(rmdir(directory) == 0 && symlink(elsewhere, directory) == 0);
    expect_gone();
    cr_assert(unlink(directory) == 0 && mkdir(directory, 0777) == 0);
    expect_gone(); /* it is root's */
    cr_assert(chown(directory, ALICE, ALICE) == 0 && mount("none", directory, "tmpfs", 0, NULL) == 0);
    cr_assert(chown(directory, ALICE, ALICE) == 0);
    expect_gone(); /* another file system */
    cr_assert(umount(directory) == 0 && rmdir(elsewhere) == 0);
    end_before_root();
}

/* FUSE lets users mount over their own files: a process that opens such a file waits for its server. */
Test(named_files, a_mount_over_a_file_is_not_entered)
{
    char name[128];
    begin_before_root();
    strcpy(name, path_of("mounted"));
    write_file(name, ALICE, 'A');
    write_file(path_of("over"), ALICE, 'A');
    if (mount(path_of("over"), name, NULL, MS_BIND, NULL) == 0) {
        cr_expect_eq(ask_as(ALICE, "mounted"), EINVAL);
        cr_assert(umount(name) == 0);
    }
    cr_expect_eq(ask_as(ALICE, "mounted"), 0);
    cr_expect(unlink(name) == 0 && unlink(path_of("over")) == 0);
    end_before_root();
}
