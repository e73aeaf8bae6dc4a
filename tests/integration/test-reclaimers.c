/* SPDX-License-Identifier: Apache-2.0 */
/* Reclaimers free memory for a client whose options somebody else chose. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

TestSuite(reclaimers, .timeout = 60);

enum { LIMIT = 16 * MIB, HELD = 10 * MIB, WANTED = 12 * MIB };

struct asked {
    atomic_uint times;
    mb_reclaim last;
    mb_buffer *victim;  /* the callback frees it */
    mb_reclaimer *ends; /* the callback ends this one */
    atomic_bool lingers, is_in;
};

static void free_memory(const mb_reclaim *reclaim, void *user_data)
{
    struct asked *asked = user_data;
    asked->times++;
    asked->last = *reclaim;
    asked->is_in = true;
    while (asked->lingers) {
        sleep_ms(1);
    }
    mb_reclaimer_end(asked->ends);
    asked->ends = NULL;
    asked->victim = mb_buffer_unref(asked->victim);
}

static mb_client *begin_patient(uint32_t wait_ms)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *own;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.max_bytes = LIMIT;
    options.wait_ms = wait_ms;
    cr_assert(mb_connect(&options, &own) == 0, "%s", mb_last_error());
    return own;
}

static mb_client *begin_limited(void)
{
    return begin_patient(0);
}

static mb_reclaimer *add(mb_client *to, struct asked *asked, uint32_t max_retries)
{
    mb_reclaimer *reclaimer = NULL;
    cr_assert(mb_client_add_reclaimer(to, free_memory, asked, max_retries, 1, &reclaimer) == 0, "%s", mb_last_error());
    return reclaimer;
}

static mb_buffer *make_buffer(mb_client *of, size_t bytes)
{
    mb_buffer *buffer = NULL;
    (void)mb_buffer_create(of, bytes, NULL, &buffer);
    return buffer;
}

/* Half of it is in use, so that WANTED would fit later. */
static mb_client *begin_full(void)
{
    mb_client *own = begin_limited();
    cr_assert(make_buffer(own, HELD), "%s", mb_last_error());
    return own;
}

Test(reclaimers, a_second_user_of_the_shared_client_frees_its_memory)
{
    struct asked first = {0}, second = {0};
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *shared, *same;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.max_bytes = LIMIT;
    options.on_reclaim = free_memory;
    options.user_data = &first;
    options.max_retries = 1;
    cr_assert(mb_client_shared(&options, &shared) == 0 && mb_client_shared(NULL, &same) == 0, "%s", mb_last_error());
    (void)add(same, &second, 3); /* ends with the client */
    second.victim = make_buffer(same, HELD);
    mb_buffer *fits = make_buffer(shared, WANTED);
    cr_expect(fits, "%s", mb_last_error());
    cr_expect(first.times == 1 && second.times == 1);
    cr_expect(second.last.client == shared && second.last.wanted_bytes == WANTED && second.last.attempt == 1);
    cr_expect(!make_buffer(shared, WANTED));
    cr_expect(first.times == 2 && second.times == 4 && second.last.attempt == 3); /* each as often as it wants */
    (void)mb_buffer_unref(fits);
    mb_client_shared_release(same);
    mb_client_shared_release(shared);
    fixture_stop(&fixture);
}

enum { TEN_MINUTES = 600000 };

/* A client that waited first would wait for its own memory. */
Test(reclaimers, they_are_asked_before_the_client_waits)
{
    struct asked asked = {0};
    mb_client *own = begin_patient(TEN_MINUTES);
    (void)add(own, &asked, 3);
    asked.victim = make_buffer(own, HELD);
    mb_buffer *fits = make_buffer(own, WANTED);
    cr_expect(fits && asked.times == 1, "%s", mb_last_error());
    (void)mb_buffer_unref(fits);
    mb_disconnect(own);
    fixture_stop(&fixture);
}

static void *make_wanted(void *of)
{
    return make_buffer(of, WANTED);
}

Test(reclaimers, a_client_waits_if_they_do_not_help)
{
    struct asked asked = {0};
    pthread_t thread;
    void *made = NULL;
    mb_client *own = begin_patient(TEN_MINUTES);
    (void)add(own, &asked, 3);
    mb_buffer *held = make_buffer(own, HELD);
    cr_assert(pthread_create(&thread, NULL, make_wanted, own) == 0);
    WAIT_UNTIL(fixture_status(&fixture).waiting == 1);
    cr_expect(asked.times == 3);
    (void)mb_buffer_unref(held);
    cr_expect(pthread_join(thread, &made) == 0 && made, "%s", mb_last_error());
    (void)mb_buffer_unref(made);
    mb_disconnect(own);
    fixture_stop(&fixture);
}

Test(reclaimers, each_is_asked_until_it_ends)
{
    struct asked one = {0}, other = {0};
    mb_client *own = begin_full();
    mb_reclaimer *reclaimer = add(own, &one, 2);
    (void)add(own, &other, 1);
    cr_expect(!make_buffer(own, WANTED));
    cr_expect(one.times == 2 && other.times == 1);
    mb_reclaimer_end(reclaimer);
    cr_expect(!make_buffer(own, WANTED));
    cr_expect(one.times == 2 && other.times == 2);
    mb_disconnect(own);
    fixture_stop(&fixture);
}

Test(reclaimers, none_is_asked_for_what_can_never_fit)
{
    struct asked asked = {0};
    mb_client *own = begin_limited();
    (void)add(own, &asked, 3);
    cr_expect(!make_buffer(own, 2 * LIMIT));
    cr_expect(strstr(mb_last_error(), "16.0 MiB") || strstr(mb_last_error(), "16 MiB"), "%s", mb_last_error());
    cr_expect(asked.times == 0);
    cr_expect(!make_buffer(own, LIMIT + 1) && asked.times == 0);
    mb_buffer *held = make_buffer(own, HELD);
    cr_expect(!make_buffer(own, WANTED) && asked.times == 3);
    (void)mb_buffer_unref(held);
    mb_disconnect(own);
    fixture_stop(&fixture);
}

Test(reclaimers, a_callback_may_end_its_own_and_others)
{
    struct asked itself = {0}, next = {0}, last = {0};
    mb_client *own = begin_full();
    itself.ends = add(own, &itself, 2);
    mb_reclaimer *ended = add(own, &next, 2);
    last.ends = ended; /* which has been asked already */
    (void)add(own, &last, 2);
    cr_expect(!make_buffer(own, WANTED));
    cr_expect(itself.times == 1 && next.times == 1 && last.times == 2);
    mb_disconnect(own);
    fixture_stop(&fixture);
}

/* ---- threads ---- */

static void *allocate(void *of)
{
    return make_buffer(of, WANTED);
}

static void *end_it(void *reclaimer)
{
    mb_reclaimer_end(reclaimer);
    return NULL;
}

Test(reclaimers, the_end_waits_for_callbacks_that_run_in_several_threads)
{
    struct asked asked = {.lingers = true};
    pthread_t allocators[2], ender;
    mb_client *own = begin_full();
    mb_reclaimer *reclaimer = add(own, &asked, 10);
    for (int i = 0; i < 2; i++) {
        cr_assert(pthread_create(&allocators[i], NULL, allocate, own) == 0);
    }
    WAIT_UNTIL(asked.times == 2);
    cr_assert(pthread_create(&ender, NULL, end_it, reclaimer) == 0);
    sleep_ms(100);
    cr_expect(pthread_tryjoin_np(ender, NULL) == EBUSY);
    asked.lingers = false;
    (void)pthread_join(ender, NULL);
    for (int i = 0; i < 2; i++) {
        void *made;
        cr_expect(pthread_join(allocators[i], &made) == 0 && !made);
    }
    cr_expect(asked.times == 2); /* none after the end */
    mb_disconnect(own);
    fixture_stop(&fixture);
}

/* ---- refusals ---- */

Test(reclaimers, the_function_is_needed_and_a_forked_child_has_none)
{
    struct asked asked = {0};
    mb_reclaimer *reclaimer = NULL;
    mb_client *own = begin_full();
    cr_expect(mb_client_add_reclaimer(own, NULL, NULL, 1, 1, &reclaimer) == -EINVAL && !reclaimer);
    mb_reclaimer_end(NULL);
    mb_reclaimer *parents = add(own, &asked, 1);
    pid_t child = fork();
    if (child == 0) {
        mb_reclaimer_end(parents);
        _exit(mb_client_add_reclaimer(own, free_memory, &asked, 1, 1, &reclaimer) == -EPERM && !reclaimer ? 0 : 1);
    }
    int status;
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect(!make_buffer(own, WANTED) && asked.times == 1);
    mb_disconnect(own);
    fixture_stop(&fixture);
}
