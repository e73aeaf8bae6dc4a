/* SPDX-License-Identifier: Apache-2.0 */
/* Weak references to buffers. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/buffers.h"

TestSuite(weak_references, .timeout = 60);

Test(weak_references, a_weak_reference_returns_null_after_the_buffer_is_freed)
{
    begin("");
    mb_weak *weak, *second;
    mb_buffer *buffer = make(100);
    cr_assert(mb_weak_create(buffer, &weak) == 0 && mb_weak_create(buffer, &second) == 0);
    mb_buffer *strong = mb_weak_get(weak);
    cr_expect(strong == buffer && mb_buffer_references(buffer) == 2);
    (void)mb_buffer_unref(buffer);
    cr_expect_eq(mb_weak_get(second), buffer, "another reference keeps it");
    (void)mb_buffer_unref(buffer);
    (void)mb_buffer_unref(strong);
    cr_expect_null(mb_weak_get(weak));
    mb_buffer *other = make(100); /* in the same place, very likely */
    cr_expect_null(mb_weak_get(second), "another buffer in its place is another buffer");
    (void)mb_buffer_unref(other);
    cr_expect_null(mb_weak_drop(weak));
    cr_expect_null(mb_weak_drop(second));
    cr_expect_null(mb_weak_drop(NULL));
    end();
}

Test(weak_references, a_weak_reference_returns_null_after_its_client_ended)
{
    begin("");
    mb_client *other = fixture_connect(&fixture, 0);
    mb_weak *of_small, *of_large;
    mb_buffer *small, *large;
    cr_assert(mb_buffer_create(other, 100, NULL, &small) == 0 && mb_buffer_create(other, MIB, NULL, &large) == 0);
    cr_assert(mb_weak_create(small, &of_small) == 0 && mb_weak_create(large, &of_large) == 0);
    mb_disconnect(other);
    cr_expect_null(mb_weak_get(of_small));
    cr_expect_null(mb_weak_get(of_large));
    (void)mb_weak_drop(of_small);
    (void)mb_weak_drop(of_large);
    end();
}

/* ---- in a forked child ---- */

static mb_buffer *shared;
static mb_weak *inherited;
static atomic_bool stop;

static void *make_weak_references(void *unused)
{
    mb_buffer *buffer = make(100);
    while (!atomic_load(&stop)) {
        mb_weak *weak = NULL;
        (void)mb_weak_create(buffer, &weak);
        (void)mb_buffer_unref(mb_weak_get(weak));
        (void)mb_weak_drop(weak);
    }
    (void)mb_buffer_unref(buffer);
    return unused;
}

static int with_weak_in_child(const struct fixture *unused)
{
    mb_weak *weak;
    (void)unused;
    (void)alarm(5);
    bool is_refused = mb_weak_create(shared, &weak) == -EPERM && !mb_weak_get(inherited);
    is_refused = is_refused && !mb_buffer_from_address(client, mb_buffer_data(shared));
    (void)mb_weak_drop(inherited);
    (void)mb_buffer_unref(shared);
    return is_refused ? 0 : 1;
}

Test(weak_references, a_forked_child_gets_nothing_from_weak_references_and_does_not_hang)
{
    begin("");
    pthread_t thread;
    int status;
    shared = make(100);
    cr_assert_eq(mb_weak_create(shared, &inherited), 0);
    cr_assert(pthread_create(&thread, NULL, make_weak_references, NULL) == 0);
    for (int i = 0; i < 200; i++) {
        pid_t child = fixture_fork(with_weak_in_child, &fixture);
        cr_assert(waitpid(child, &status, 0) == child);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "fork %d", i);
    }
    atomic_store(&stop, true);
    (void)pthread_join(thread, NULL);
    (void)mb_weak_drop(inherited);
    (void)mb_buffer_unref(shared);
    end();
}
