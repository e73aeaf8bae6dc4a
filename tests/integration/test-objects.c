/* SPDX-License-Identifier: Apache-2.0 */
/* Small objects by the library: putting, getting without asking the broker, replacing under readers, and their ends. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/board.h"
#include "proto/base/cleanup.h"
#include "tests/integration/blocks.h"

TestSuite(objects, .timeout = 60);

static int put(mb_client *of, const char *name, const char *text)
{
    return mb_put(of, name, text, strlen(text), NULL);
}

/* Whether that is what the object has. */
static bool has(mb_client *of, const char *name, const char *text)
{
    char buffer[64];
    int bytes = mb_get(of, name, buffer, sizeof buffer);
    return bytes == (int)strlen(text) && memcmp(buffer, text, (size_t)bytes) == 0;
}

/* How many messages the daemon has received, this one included. */
static uint64_t messages(void)
{
    struct request request = {.kind = REQUEST_METRICS};
    struct reply reply;
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL) && fixture_exchange(fd, &request, &reply, NULL));
    (void)close(fd);
    return reply.metrics.messages;
}

Test(objects, what_was_put_is_read_without_asking)
{
    char buffer[64];
    begin("");
    cr_assert_eq(put(client, "a", "first"), 0, "%s", mb_last_error());
    cr_assert_eq(put(client, "b", ""), 0, "%s", mb_last_error());
    cr_expect(has(client, "a", "first")); /* maps the board */
    cr_assert_eq(put(client, "a", "second one"), 0);
    uint64_t before = messages();
    for (int i = 0; i < 1000; i++) {
        cr_assert(has(client, "a", "second one") && has(client, "b", ""));
    }
    cr_expect_eq(messages() - before, 2, "a look-up asks the broker"); /* the hello and the question */
    cr_expect_eq(mb_get(client, "a", buffer, 3), 10);
    cr_expect_eq(mb_get(client, "a", NULL, 0), 10);
    cr_expect_eq(mb_get(client, "c", buffer, sizeof buffer), -ENOENT);
    EXPECT_SENTENCE("no object \"c\"");
    end();
}

Test(objects, an_object_can_be_removed_by_any_process_of_its_user)
{
    begin("");
    mb_client *other = fixture_connect(&fixture, 0);
    cr_assert_eq(put(client, "a", "text"), 0);
    cr_expect(has(other, "a", "text"));
    cr_expect_eq(mb_remove(other, "a"), 0);
    cr_expect_eq(mb_get(client, "a", NULL, 0), -ENOENT);
    cr_expect_eq(mb_get(other, "a", NULL, 0), -ENOENT);
    cr_expect_eq(mb_remove(client, "a"), -ENOENT);
    mb_disconnect(other);
    end();
}

Test(objects, an_object_ends_with_its_session_or_is_kept)
{
    mb_object_options kept = MB_OBJECT_OPTIONS_INIT;
    kept.lifetime = MB_LIFETIME_KEEP;
    begin("");
    mb_client *other = fixture_connect(&fixture, 0);
    cr_assert_eq(put(other, "session", "1"), 0);
    cr_assert_eq(mb_put(other, "kept", "2", 1, &kept), 0);
    cr_expect(has(client, "session", "1") && has(client, "kept", "2"));
    mb_disconnect(other);
    cr_expect_eq(mb_get(client, "session", NULL, 0), -ENOENT);
    cr_expect(has(client, "kept", "2"));
    end();
}

Test(objects, terms_that_make_no_sense_are_refused)
{
    static char large[MB_OBJECT_BYTES_MAX + 1];
    mb_object_options options = MB_OBJECT_OPTIONS_INIT;
    begin("");
    cr_expect_eq(mb_put(client, "a", large, sizeof large, NULL), -EINVAL);
    cr_expect_eq(mb_put(client, "", large, 1, NULL), -EINVAL);
    EXPECT_SENTENCE("name of a block or an object");
    cr_expect_eq(mb_put(client, "a", NULL, 5, NULL), -EINVAL);
    EXPECT_SENTENCE("data is NULL");
    cr_expect_eq(mb_get(client, "", large, 1), -EINVAL);
    options.lifetime = MB_LIFETIME_CACHE;
    cr_expect_eq(mb_put(client, "a", large, 1, &options), -EINVAL);
    options = (mb_object_options)MB_OBJECT_OPTIONS_INIT;
    options.gid = 12345;
    cr_expect_eq(mb_put(client, "a", large, 1, &options), -EINVAL);
    EXPECT_SENTENCE("gid goes with MB_ACCESS_GROUP");
    options.access = MB_ACCESS_GROUP;
    cr_expect_eq(mb_put(client, "a", large, 1, &options), -EACCES);
    cr_expect_eq(mb_put(client, "a", large, MB_OBJECT_BYTES_MAX, NULL), 0);
    cr_expect_eq(mb_get(client, "a", large, sizeof large), MB_OBJECT_BYTES_MAX);
    end();
}

/* The daemon's own descriptor of its only board. A broker of the same user can't keep it from this process. */
static struct board_header *open_board(void)
{
    char path[64], target[64];
    for (int fd = 0; fd < 256; fd++) {
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)fixture.daemon, fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = '\0';
        if (strstr(target, "membroker:board")) {
            cleanup(fd_closep) int own = open(path, O_RDWR | O_CLOEXEC);
            void *board = mmap(NULL, BOARD_PART_BYTES_LEAST, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
            cr_assert(own >= 0 && board != MAP_FAILED);
            return board;
        }
    }
    cr_assert_fail("the daemon has no board");
    return NULL;
}

Test(objects, a_board_with_another_layout_is_not_read_but_asked_for)
{
    begin("");
    cr_assert_eq(put(client, "a", "text"), 0);
    struct board_header *board = open_board();
    board->version--;
    uint64_t before = messages();
    for (int i = 0; i < 10; i++) {
        cr_expect(has(client, "a", "text"), "%s", mb_last_error());
    }
    cr_expect_geq(messages() - before, 10);
    cr_expect_eq(mb_get(client, "b", NULL, 0), -ENOENT);
    board->version++;
    cr_expect(has(client, "a", "text"));
    before = messages();
    cr_expect(has(client, "a", "text"));
    cr_expect_eq(messages() - before, 2, "it is read from now on");
    (void)munmap(board, BOARD_PART_BYTES_LEAST);
    end();
}

/* ---- torn reads ---- */

enum { VALUES = 2000, READERS = 3, NAMES = 4 };

static atomic_bool stops;
static atomic_uint torn, seen;
static size_t same_size; /* of each object; 0: they have different sizes */

/* The value in each byte, and as many bytes as it says: a reader sees whether all are of one put. */
static size_t fill(uint8_t *bytes, unsigned value)
{
    size_t count = same_size ? same_size : 64 + value * 131 % 8000;
    memset(bytes, (int)(value % 251), count);
    memcpy(bytes, &value, sizeof value);
    return count;
}

static bool is_whole(const uint8_t *bytes, size_t count)
{
    unsigned value;
    uint8_t expected[MB_OBJECT_BYTES_MAX];
    memcpy(&value, bytes, sizeof value);
    return value <= VALUES && count == fill(expected, value) && memcmp(bytes, expected, count) == 0;
}

static void *read_all_the_time(void *argument)
{
    mb_client *reader = fixture_connect(&fixture, 0);
    uint8_t bytes[MB_OBJECT_BYTES_MAX];
    (void)argument;
    for (unsigned i = 0; !stops; i++) {
        const char name[] = {(char)('a' + i % NAMES), '\0'};
        int count = mb_get(reader, name, bytes, sizeof bytes);
        torn += count < 0 || !is_whole(bytes, (size_t)count);
        seen++;
    }
    mb_disconnect(reader);
    return NULL;
}

static void replace_under_readers(void)
{
    pthread_t readers[READERS];
    uint8_t bytes[MB_OBJECT_BYTES_MAX];
    for (int i = 0; i < READERS; i++) {
        cr_assert(pthread_create(&readers[i], NULL, read_all_the_time, NULL) == 0);
    }
    for (unsigned value = 1; value <= VALUES || seen < 1000; value++) {
        const char name[] = {(char)('a' + value % NAMES), '\0'};
        cr_assert_eq(mb_put(client, name, bytes, fill(bytes, value % VALUES), NULL), 0, "%s", mb_last_error());
    }
    stops = true;
    for (int i = 0; i < READERS; i++) {
        (void)pthread_join(readers[i], NULL);
    }
    cr_expect_eq(torn, 0, "%u of %u reads", torn, seen);
}

static void put_first_values(void)
{
    uint8_t bytes[MB_OBJECT_BYTES_MAX];
    for (int i = 0; i < NAMES; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        cr_assert_eq(mb_put(client, name, bytes, fill(bytes, 0), NULL), 0, "%s", mb_last_error());
    }
}

Test(objects, no_read_is_torn_while_objects_are_replaced)
{
    begin("");
    put_first_values();
    replace_under_readers();
    end();
}

/* A fifth object of that size has no room: each put is in the place of the object that it replaces. */
Test(objects, no_read_is_torn_while_objects_are_replaced_on_a_full_board)
{
    begin("[sharing]\nmax_board_bytes = 64K\n");
    same_size = 12000;
    put_first_values();
    cr_expect_eq(mb_put(client, "fifth", &(char[12000]){0}, same_size, NULL), -EMFILE);
    replace_under_readers();
    cr_expect_eq(fixture_status(&fixture).used_physical_bytes, 64 << 10);
    end();
}

/* ---- a daemon that is killed ---- */

static atomic_uint whole;

static void *read_what_is_there(void *argument)
{
    mb_client *reader = argument;
    uint8_t bytes[MB_OBJECT_BYTES_MAX];
    while (!stops) {
        int count = mb_get(reader, "a", bytes, sizeof bytes);
        torn += count >= 0 && !is_whole(bytes, (size_t)count);
        whole += count >= 0 && is_whole(bytes, (size_t)count);
    }
    return NULL;
}

static void *put_all_the_time(void *argument)
{
    mb_client *putter = argument;
    uint8_t bytes[MB_OBJECT_BYTES_MAX];
    for (unsigned value = 0; !stops; value++) {
        (void)mb_put(putter, "a", bytes, fill(bytes, value % VALUES), NULL);
    }
    return NULL;
}

/* At whatever it is doing: some put is always under way. Afterwards there is what is put then, and nothing else. */
Test(objects, a_daemon_that_is_killed_in_the_middle_of_puts_tears_no_object)
{
    pthread_t reading, putting;
    begin("");
    mb_client *reader = fixture_connect(&fixture, 0), *putter = fixture_connect(&fixture, 0);
    cr_assert(pthread_create(&reading, NULL, read_what_is_there, reader) == 0);
    cr_assert(pthread_create(&putting, NULL, put_all_the_time, putter) == 0);
    for (int round = 0; round < 5; round++) {
        unsigned before = whole;
        WAIT_UNTIL(whole > before + 100);
        (void)kill(fixture.daemon, SIGKILL);
        (void)waitpid(fixture.daemon, NULL, 0);
        fixture_launch(&fixture);
    }
    unsigned before = whole;
    WAIT_UNTIL(whole > before + 100);
    stops = true;
    (void)pthread_join(reading, NULL);
    (void)pthread_join(putting, NULL);
    cr_expect_eq(torn, 0, "%u objects", torn);
    mb_disconnect(putter);
    cr_expect_eq(mb_get(reader, "a", NULL, 0), -ENOENT, "it ended with its session");
    mb_disconnect(reader);
    end();
}

/* ---- bounds ---- */

Test(objects, a_user_has_so_many_objects_and_so_much_memory_for_them)
{
    static char large[MB_OBJECT_BYTES_MAX];
    char name[16];
    int result = 0, count = 0;
    begin("[sharing]\nmax_objects = 20\nmax_board_bytes = 192K\n");
    for (; result == 0; count++) {
        (void)snprintf(name, sizeof name, "%d", count);
        result = mb_put(client, name, large, sizeof large, NULL);
    }
    cr_expect_eq(result, -EMFILE);
    EXPECT_SENTENCE("max_board_bytes");
    cr_expect_eq(count, 5); /* one in the first 64 KiB, three in the next 128, and one that did not fit */
    cr_assert_eq(mb_remove(client, "0"), 0);
    cr_expect_eq(mb_put(client, name, large, sizeof large, NULL), 0, "%s", mb_last_error());
    end();
}

Test(objects, memory_of_no_object_goes_back_when_no_process_has_it)
{
    begin("[sharing]\ngrace = 10ms\n");
    mb_client *reader = fixture_connect(&fixture, 0);
    cr_assert_eq(put(client, "a", "text"), 0);
    cr_expect(has(reader, "a", "text"));
    cr_assert_eq(mb_remove(client, "a"), 0);
    WAIT_UNTIL(fixture_status(&fixture).freeing_bytes > 0); /* the reader has it */
    cr_assert_eq(put(client, "b", "other"), 0);             /* in a new board */
    cr_expect(has(reader, "b", "other"));
    WAIT_UNTIL(used() == 64 << 10);
    cr_expect(has(reader, "b", "other"));
    cr_assert_eq(mb_remove(client, "b"), 0);
    WAIT_UNTIL(fixture_status(&fixture).freeing_bytes > 0);
    cr_expect_eq(mb_get(reader, "b", NULL, 0), -ENOENT);
    WAIT_UNTIL(used() == 0);
    mb_disconnect(reader);
    end();
}

Test(objects, a_full_board_is_a_bounded_refusal)
{
    char name[16];
    int result = 0;
    begin("[sharing]\nmax_objects = 20\n");
    for (int i = 0; result == 0; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        result = put(client, name, "x");
    }
    cr_expect_eq(result, -EMFILE);
    EXPECT_SENTENCE("20 objects");
    cr_expect_eq(put(client, "3", "y"), 0); /* in the place of another */
    cr_expect(has(client, "3", "y"));
    end();
}

Test(objects, the_bytes_count_as_the_users)
{
    begin("[limits]\nmax_physical_bytes = 100K\n");
    cr_assert_eq(put(client, "a", "x"), 0, "%s", mb_last_error());
    cr_expect_eq(fixture_status(&fixture).used_physical_bytes, 64 << 10);
    mb_lease *lease;
    cr_expect_eq(mb_acquire(client, 64 << 10, NULL, &lease), -ENOMEM);
    end();
}

/* The daemon gives it up, and the library puts again when it is free. */
Test(objects, the_pool_is_not_in_the_way)
{
    begin("[limits]\nmax_physical_bytes = 8M\n[pool]\npool_bytes = 8M\nsizes = 8M\n");
    WAIT_UNTIL(fixture_status(&fixture).pooled_bytes == 8 << 20);
    cr_expect_eq(put(client, "a", "text"), 0, "%s", mb_last_error());
    cr_expect(has(client, "a", "text"));
    mb_disconnect(client);
    fixture_drain_pool(&fixture); /* which fills itself again */
    fixture_stop(&fixture);
}

Test(objects, a_hundred_thousand_objects_take_no_descriptors_of_their_own)
{
    enum { OBJECTS = 100000 };
    char name[32], text[32];
    begin("");
    size_t before = fixture_descriptors(&fixture);
    for (int i = 0; i < OBJECTS; i++) {
        (void)snprintf(name, sizeof name, "object %d", i);
        (void)snprintf(text, sizeof text, "text %d", i);
        cr_assert_eq(put(client, name, text), 0, "%s", mb_last_error());
    }
    cr_expect_leq(fixture_descriptors(&fixture), before + 10);
    for (int i = 0; i < OBJECTS; i++) {
        (void)snprintf(name, sizeof name, "object %d", i);
        (void)snprintf(text, sizeof text, "text %d", i);
        cr_assert(has(client, name, text));
    }
    end(); /* which ends the session, and all of them with it */
}

/* ---- others ---- */

static int read_in_child(const struct fixture *of)
{
    mb_client *own;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = of->socket;
    return mb_get(client, "a", NULL, 0) == -EPERM && mb_connect(&options, &own) == 0 && has(own, "a", "text") ? 0 : 1;
}

Test(objects, a_forked_child_connects_on_its_own)
{
    begin("");
    cr_assert_eq(put(client, "a", "text"), 0);
    cr_expect(has(client, "a", "text"));
    cr_expect_eq(run_child(read_in_child), 0);
    end();
}

static int get_as_another(const struct fixture *of)
{
    mb_client *own;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    char buffer[8];
    options.socket = of->socket;
    if (setgid(4242) < 0 || setuid(4242) < 0 || mb_connect(&options, &own) < 0) {
        return 1;
    }
    return mb_get(own, "all", NULL, 0) == -ENOENT && mb_get_from(own, 0, "own", NULL, 0) == -ENOENT &&
                   mb_get_from(own, 0, "all", buffer, sizeof buffer) == 1 && mb_remove(own, "all") == -ENOENT
               ? 0
               : 2;
}

Test(objects, other_users_get_what_they_may)
{
    mb_object_options options = MB_OBJECT_OPTIONS_INIT;
    options.access = MB_ACCESS_ALL;
    if (getuid() != 0) {
        cr_skip_test("not root: no other user to be");
    }
    begin("");
    cr_assert(chmod(fixture.directory, 0755) == 0 && chmod(fixture.socket, 0666) == 0);
    cr_assert_eq(put(client, "own", "1"), 0);
    cr_assert_eq(mb_put(client, "all", "2", 1, &options), 0);
    cr_expect_eq(run_child(get_as_another), 0);
    end();
}

Test(objects, they_end_with_the_daemon)
{
    begin("");
    cr_assert_eq(put(client, "a", "text"), 0);
    cr_expect(has(client, "a", "text"));
    (void)kill(fixture.daemon, SIGKILL);
    (void)waitpid(fixture.daemon, NULL, 0);
    fixture_launch(&fixture);
    fixture_wait_connected(client);
    WAIT_UNTIL(mb_get(client, "a", NULL, 0) == -ENOENT);
    cr_assert_eq(put(client, "a", "again"), 0);
    cr_expect(has(client, "a", "again"));
    end();
}
