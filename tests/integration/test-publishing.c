/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published blocks by a real daemon: whatever its publisher keeps, no byte of a block that is attached changes. Each
 * way to keep one that can write either fails the publication, or can't change a byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/transport.h"
#include "tests/integration/publishing.h"

TestSuite(publishing, .timeout = 60);

static struct fixture fixture;
static struct party publisher, reader;

static void begin(void)
{
    fixture_start(&fixture, "");
    publisher = party_open(&fixture);
    reader = party_open(&fixture);
}

static void end(void)
{
    party_close(&publisher);
    party_close(&reader);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
}

static bool is_all(const uint8_t *data, uint8_t value)
{
    return data[0] == value && memcmp(data, data + 1, BLOCK_BYTES - 1) == 0;
}

Test(publishing, a_block_is_attached_with_what_was_written)
{
    begin();
    struct written written = party_publish_new(&publisher, "weights", LIFETIME_SESSION, 7);
    struct attached attached = party_attach(&reader, "weights", 0);
    struct block_entry entry;
    cr_assert_eq(attached.code, ERROR_UNSPECIFIED);
    cr_expect_eq(attached.reply.bytes, BLOCK_BYTES);
    cr_expect_str_eq(attached.reply.type, "test");
    cr_expect(is_all(attached.data, 7) && is_all(written.data, 7), "the publisher's address stays");
    cr_expect_eq(party_generation(&reader, attached.reply.slot), attached.reply.generation);
    cr_assert_eq(party_blocks(&reader, &entry, 1), 1);
    cr_expect(entry.views == 2 && entry.bytes == BLOCK_BYTES && entry.publisher);
    cr_expect_str_eq(entry.name, "weights");
    cr_expect_eq(fixture_status(&fixture).used_bytes, BLOCK_BYTES, "it is charged once");
    cr_expect(pwrite(attached.fd, "x", 1, 0) < 0 && ftruncate(attached.fd, 0) < 0);
    cr_expect_eq(mmap(NULL, BLOCK_BYTES, PROT_WRITE, MAP_SHARED, attached.fd, 0), MAP_FAILED);
    cr_expect(mprotect(written.data, BLOCK_BYTES, PROT_READ | PROT_WRITE) < 0);
    fixture_audit(&fixture);
    written_close(&written);
    attached_close(&attached);
    end();
}

/* ---- ways to keep one that can write ---- */

/* Publishes while something is kept; then again without it. */
static void expect_refused(struct written *written, const char *what, void (*let_go)(void))
{
    cr_expect_eq(party_publish(&publisher, written, "kept", LIFETIME_SESSION), ERROR_STILL_WRITABLE, "%s", what);
    cr_expect_neq(party_attach(&reader, "kept", 0).code, ERROR_UNSPECIFIED, "%s", what);
    let_go();
    cr_expect_eq(party_publish(&publisher, written, "kept", LIFETIME_SESSION), ERROR_UNSPECIFIED, "%s", what);
    struct attached attached = party_attach(&reader, "kept", 0);
    cr_assert_eq(attached.code, ERROR_UNSPECIFIED);
    cr_expect(is_all(attached.data, 3));
    cr_expect_eq(party_release(&publisher, written->lease), ERROR_UNSPECIFIED);
    attached_close(&attached);
    written_close(written);
}

static int kept = -EBADF;
static int ends[2];
static pid_t child;
static void *mapping;

static void close_kept(void)
{
    kept = fd_close(kept);
}

static void unmap_kept(void)
{
    (void)munmap(mapping, BLOCK_BYTES);
}

static void end_child(void)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static void close_ends(void)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

Test(publishing, a_duplicate_of_the_descriptor_fails_it)
{
    begin();
    FOR_EACH_LOCATION(location)
    {
        struct written written = party_write(&publisher, location, 3);
        kept = dup(written.writable);
        written_give_up(&written);
        expect_refused(&written, "dup", close_kept);
    }
    end();
}

Test(publishing, a_descriptor_that_was_opened_again_fails_it)
{
    begin();
    FOR_EACH_LOCATION(location)
    {
        char path[64];
        struct written written = party_write(&publisher, location, 3);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", written.readable);
        kept = open(path, O_RDWR); /* only the broker's own user can, or root */
        if (kept >= 0) {
            written_give_up(&written);
            expect_refused(&written, "reopened", close_kept);
        } else {
            written_close(&written);
        }
    }
    end();
}

Test(publishing, a_writable_mapping_fails_it)
{
    begin();
    FOR_EACH_LOCATION(location)
    {
        struct written written = party_write(&publisher, location, 3);
        mapping = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, written.writable, 0);
        written_give_up(&written);
        expect_refused(&written, "a mapping", unmap_kept);
    }
    end();
}

Test(publishing, a_mapping_that_was_made_read_only_fails_it)
{
    begin();
    FOR_EACH_LOCATION(location)
    {
        struct written written = party_write(&publisher, location, 3);
        mapping = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, written.writable, 0);
        cr_assert(mprotect(mapping, BLOCK_BYTES, PROT_READ) == 0);
        written_give_up(&written);
        expect_refused(&written, "mprotect", unmap_kept);
    }
    end();
}

Test(publishing, a_forked_child_fails_it)
{
    begin();
    FOR_EACH_LOCATION(location)
    {
        struct written written = party_write(&publisher, location, 3);
        child = fork();
        if (child == 0) {
            (void)pause();
            _exit(0);
        }
        written_give_up(&written);
        expect_refused(&written, "a child", end_child);
    }
    end();
}

Test(publishing, a_descriptor_in_flight_fails_it)
{
    begin();
    FOR_EACH_LOCATION(location)
    {
        struct written written = party_write(&publisher, location, 3);
        cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
        cr_assert(transport_send(ends[0], "x", 1, written.writable, true) == 0);
        written_give_up(&written);
        expect_refused(&written, "in flight", close_ends);
    }
    end();
}

/* Pages that the kernel has pinned for a device can be written after the mapping is gone. */
#ifdef SYS_io_uring_setup
#include <linux/io_uring.h>

Test(publishing, a_registered_buffer_of_io_uring_fails_it)
{
    struct io_uring_params parameters = {0};
    begin();
    struct written written = party_write(&publisher, LOCATION_RAM, 3);
    kept = (int)syscall(SYS_io_uring_setup, 1, &parameters);
    struct iovec buffer = {written.data, 4096};
    if (kept < 0 || syscall(SYS_io_uring_register, kept, IORING_REGISTER_BUFFERS, &buffer, 1) < 0) {
        written_close(&written);
        end();
        cr_skip("this kernel registers no buffer for io_uring");
    }
    written_give_up(&written);
    cr_expect_eq(party_publish(&publisher, &written, "kept", LIFETIME_SESSION), ERROR_STILL_WRITABLE);
    struct request ping = {.kind = REQUEST_PING};
    struct reply reply;
    cr_expect_eq(party_ask(&reader, &ping, &reply), ERROR_UNSPECIFIED);
    kept = fd_close(kept);
    WAIT_UNTIL(party_publish(&publisher, &written, "kept", LIFETIME_SESSION) == ERROR_UNSPECIFIED);
    written_close(&written);
    end();
}
#endif

/* ---- ways to write past a mapping that can only be read ---- */

static void expect_unchanged(uint8_t *data, int fd)
{
    char path[64];
    char byte = 'x';
    struct iovec ours = {&byte, 1}, theirs = {data, 1};
    cleanup(fd_closep) int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    cleanup(fd_closep) int again = open(path, O_RDWR | O_CLOEXEC); /* the broker's own user can, and root */
    cr_assert(memory >= 0);
    cr_expect(pwrite(memory, "x", 1, (off_t)(uintptr_t)data) < 0, "the kernel forces it on private mappings only");
    cr_expect(process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0) < 0);
    cr_expect(madvise(data, BLOCK_BYTES, MADV_REMOVE) < 0);
    cr_expect(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BLOCK_BYTES) < 0);
    cr_expect(again < 0 || pwrite(again, "x", 1, 0) < 0);
    cr_expect(again < 0 || fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BLOCK_BYTES) < 0);
    cr_expect(again < 0 || mmap(NULL, BLOCK_BYTES, PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
}

Test(publishing, neither_publisher_nor_reader_can_force_a_byte)
{
    begin();
    struct written written = party_publish_new(&publisher, "n", LIFETIME_SESSION, 3);
    struct attached attached = party_attach(&reader, "n", 0);
    cr_assert_eq(attached.code, ERROR_UNSPECIFIED);
    expect_unchanged(written.data, written.readable);
    expect_unchanged((uint8_t *)(uintptr_t)attached.data, attached.fd);
    cr_expect(is_all(attached.data, 3) && is_all(written.data, 3));
    attached_close(&attached);
    written_close(&written);
    end();
}

/* ---- sizes and seals ---- */

Test(publishing, a_segment_that_was_cut_is_not_published)
{
    begin();
    struct written written = party_write(&publisher, LOCATION_RAM, 3);
    cr_assert(ftruncate(written.writable, 4096) == 0);
    written_give_up(&written);
    enum error_code code = party_publish(&publisher, &written, "cut", LIFETIME_SESSION);
    cr_expect(code == ERROR_INVALID || code == ERROR_LEASE_ENDED, "%d", (int)code);
    cr_expect_eq(party_attach(&reader, "cut", 0).code, ERROR_NO_SUCH_BLOCK);
    written_close(&written);
    end();
}

/* The memory can't be taken back while it is there, so it stays in the account. */
Test(publishing, a_borrower_that_adds_seals_stays_charged_until_it_is_gone)
{
    begin();
    struct written written = party_write(&publisher, LOCATION_RAM, 3);
    cr_assert(fcntl(written.writable, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    int other = dup(written.readable);
    written_give_up(&written);
    cr_expect_eq(party_publish(&publisher, &written, "sealed", LIFETIME_SESSION), ERROR_INVALID);
    cr_expect_eq(party_release(&publisher, written.lease), ERROR_UNSPECIFIED);
    written_close(&written);
    sleep_ms(1200);
    cr_expect_eq(fixture_status(&fixture).used_bytes, BLOCK_BYTES, "its bytes are hidden from nobody");
    cr_expect(fixture_log_has(&fixture, "a borrower keeps it from being freed"));
    (void)close(other);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    end();
}

/* ---- lifetimes ---- */

Test(publishing, the_generation_moves_before_the_bytes_go)
{
    begin();
    struct written written = party_publish_new(&publisher, "n", LIFETIME_SESSION, 5);
    struct attached attached = party_attach(&reader, "n", 0);
    cr_expect_eq(party_release(&publisher, written.lease), ERROR_UNSPECIFIED);
    cr_expect(is_all(attached.data, 5), "a view of its owner keeps it");
    cr_expect_eq(party_attach(&reader, "n", 0).code, ERROR_BLOCK_ENDED);
    cr_expect_eq(party_attach(&reader, "n", 0).ended, END_RELEASED);
    cr_expect_eq(party_generation(&reader, attached.reply.slot), attached.reply.generation);
    cr_expect_eq(party_release(&reader, attached.reply.lease), ERROR_UNSPECIFIED);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    written_close(&written);
    attached_close(&attached);
    end();
}

Test(publishing, a_kept_block_outlives_its_publisher_until_it_is_unpublished)
{
    begin();
    struct party first = party_open(&fixture);
    struct written written = party_publish_new(&first, "kept", LIFETIME_KEEP, 9);
    written_close(&written);
    party_close(&first);
    struct attached attached = party_attach(&reader, "kept", 0);
    cr_assert_eq(attached.code, ERROR_UNSPECIFIED);
    cr_expect(is_all(attached.data, 9));
    attached_close(&attached);
    cr_expect_eq(party_release(&reader, attached.reply.lease), ERROR_UNSPECIFIED);
    cr_expect_eq(fixture_status(&fixture).used_bytes, BLOCK_BYTES);
    cr_expect_eq(party_unpublish(&reader, "kept"), ERROR_UNSPECIFIED);
    cr_expect_eq(party_unpublish(&reader, "kept"), ERROR_NO_SUCH_BLOCK);
    cr_expect_eq(party_attach(&reader, "kept", 0).ended, END_UNPUBLISHED);
    end();
}

Test(publishing, a_cache_makes_room_and_says_so)
{
    fixture_start(&fixture, "[limits]\nmax_physical_bytes = 4M\n");
    publisher = party_open(&fixture);
    reader = party_open(&fixture);
    struct written old = party_publish_new(&publisher, "old", LIFETIME_CACHE, 1);
    struct written used = party_publish_new(&publisher, "used", LIFETIME_CACHE, 2);
    struct attached attached = party_attach(&reader, "used", 0);
    struct request acquire = {.kind = REQUEST_ACQUIRE};
    struct reply reply;
    acquire.acquire = (struct acquire_request){.bytes = 3 * BLOCK_BYTES, .location = LOCATION_RAM, .numa_node = -1};
    cr_expect_eq(party_ask(&reader, &acquire, &reply), ERROR_UNSPECIFIED, "%s", reply.error.sentence);
    cr_expect_eq(party_attach(&reader, "old", 0).ended, END_EVICTED);
    cr_expect_eq(party_reason(&publisher, old.slot), END_EVICTED);
    cr_expect(is_all(attached.data, 2));
    cr_expect_eq(party_ask(&reader, &acquire, &reply), ERROR_LIMIT, "what is attached stays");
    cr_expect(fixture_log_has(&fixture, "evicted"));
    cr_expect_eq(party_unpublish(&publisher, "used"), ERROR_UNSPECIFIED);
    written_close(&old);
    written_close(&used);
    attached_close(&attached);
    end();
}

Test(publishing, who_waits_for_a_name_has_it_when_it_is_published)
{
    begin();
    struct request request = {.id = 77, .kind = REQUEST_ATTACH_BLOCK, .attach_block = {.name = "n", .wait_ms = 20000}};
    struct packet_descriptors descriptors;
    struct reply reply;
    cr_expect_eq(party_attach(&reader, "n", 20).code, ERROR_NO_SUCH_BLOCK, "the wait ends");
    cr_assert(fixture_send(reader.socket, &request));
    struct written written = party_publish_new(&publisher, "n", LIFETIME_SESSION, 1);
    cr_assert(fixture_receive_all(reader.socket, &reply, &descriptors));
    cr_assert(reply.kind == REPLY_ATTACHED && reply.reply_to == 77 && descriptors.count == 1);
    (void)close(descriptors.fd[0]);
    written_close(&written);
    end();
}

/* ---- a publisher that is killed ---- */

enum killed_at { KILLED_WRITING, KILLED_WHILE_SEALING, KILLED_PUBLISHED, KILLED_KEPT };

/* Goes so far, says so, and waits for its end. */
static void go_as_far_as(enum killed_at step, int ready)
{
    struct party party = party_open(&fixture);
    struct written written = party_write(&party, LOCATION_RAM, 4);
    written_give_up(&written);
    if (step == KILLED_WHILE_SEALING) {
        struct request request = {.id = 99, .kind = REQUEST_PUBLISH};
        request.publish = (struct publish_request){.lease = written.lease, .name = "n"};
        (void)fixture_send(party.socket, &request);
    } else if (step != KILLED_WRITING) {
        (void)party_publish(&party, &written, "n", step == KILLED_KEPT ? LIFETIME_KEEP : LIFETIME_SESSION);
    }
    (void)!write(ready, "", 1);
    (void)pause();
    _exit(0);
}

static void kill_at(enum killed_at step)
{
    char byte;
    cr_assert(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        go_as_far_as(step, ends[1]);
    }
    cr_assert(read(ends[0], &byte, 1) == 1);
    end_child();
    close_ends();
}

Test(publishing, a_publisher_that_is_killed_leaves_a_whole_block_or_none)
{
    begin();
    for (enum killed_at step = KILLED_WRITING; step < KILLED_KEPT; step++) {
        kill_at(step);
        WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
        cr_expect_neq(party_attach(&reader, "n", 0).code, ERROR_UNSPECIFIED);
        fixture_audit(&fixture);
    }
    cr_expect_eq(party_attach(&reader, "n", 0).ended, END_DIED);
    kill_at(KILLED_KEPT);
    struct attached attached = party_attach(&reader, "n", 0);
    cr_assert_eq(attached.code, ERROR_UNSPECIFIED);
    cr_expect(is_all(attached.data, 4));
    cr_expect_eq(fixture_status(&fixture).used_bytes, BLOCK_BYTES);
    fixture_audit(&fixture);
    attached_close(&attached);
    cr_expect_eq(party_unpublish(&reader, "n"), ERROR_UNSPECIFIED);
    end();
}

/* ---- membrokerctl ---- */

static bool ctl_says(const char *arguments, const char *expected)
{
    char program[640], command[1024], output[4096] = "";
    fixture_program("membrokerctl", program, sizeof program);
    (void)snprintf(command, sizeof command, "%s --socket %s %s 2>&1", program, fixture.socket, arguments);
    FILE *stream = popen(command, "r");
    cr_assert(stream);
    size_t count = fread(output, 1, sizeof output - 1, stream);
    output[count] = '\0';
    (void)pclose(stream);
    cr_expect(strstr(output, expected), "%s: %s", arguments, output);
    return strstr(output, expected);
}

Test(publishing, membrokerctl_lists_and_unpublishes)
{
    begin();
    struct written written = party_publish_new(&publisher, "weights", LIFETIME_KEEP, 7);
    cr_expect(ctl_says("blocks", "weights"));
    cr_expect(ctl_says("blocks", "keep"));
    cr_expect(ctl_says("--json blocks", "\"views\": 1"));
    cr_expect(ctl_says("--json leases", "\"bytes\": 0"));
    cr_expect(ctl_says("unpublish weights --owner nobody", "publishes no block"));
    cr_expect(ctl_says("unpublish weights", "block weights: unpublished"));
    cr_expect(ctl_says("blocks", "unpublished"));
    cr_expect_eq(party_attach(&reader, "weights", 0).ended, END_UNPUBLISHED);
    written_close(&written);
    end();
}
