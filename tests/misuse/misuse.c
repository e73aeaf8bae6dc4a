/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One misuse, by name: what the misuse mode must report at its line. check-misuse finds the line by the word that
 * follows "misuse:". Usage: misuse NAME; `none` uses everything as it should be.
 */
#include <membroker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mb_client *client;
static mb_workspace *workspace;
static volatile char sink;

static char *must(void *data)
{
    if (!data) {
        (void)fprintf(stderr, "misuse: %s\n", mb_last_error());
        exit(3);
    }
    return data;
}

static char *allocate(size_t bytes)
{
    return must(mb_workspace_alloc(workspace, bytes));
}

static mb_buffer *make(size_t bytes)
{
    mb_buffer *buffer = NULL;
    return mb_buffer_create(client, bytes, NULL, &buffer) < 0 ? (mb_buffer *)(void *)must(NULL) : buffer;
}

/* The first cycle spills, the second is inside. */
static char *one_cycle(size_t bytes)
{
    char *data = NULL;
    MB_WORKSPACE(workspace, (void)must(NULL)) {
        data = allocate(bytes);
        memset(data, 1, bytes);
    }
    return data;
}

static void after_the_cycle(void)
{
    (void)one_cycle(1000);
    char *data = one_cycle(1000);
    sink = data[999]; /* misuse:after_the_cycle */
}

static void beyond_an_allocation(void)
{
    (void)one_cycle(1000);
    MB_WORKSPACE(workspace, (void)must(NULL)) {
        char *data = allocate(100);
        sink = data[101]; /* misuse:beyond_an_allocation */
    }
}

static void after_a_spill(void)
{
    char *data = one_cycle(1000);
    sink = data[0]; /* misuse:after_a_spill */
}

static void beyond_a_spill(void)
{
    MB_WORKSPACE(workspace, (void)must(NULL)) {
        char *data = allocate(1008);
        sink = data[1008]; /* misuse:beyond_a_spill */
    }
}

static void before_a_spill(void)
{
    MB_WORKSPACE(workspace, (void)must(NULL)) {
        char *data = allocate(4096);
        sink = data[-1]; /* misuse:before_a_spill */
    }
}

static void after_the_last_reference(void)
{
    mb_buffer *buffer = make(1000);
    char *data = mb_buffer_data(buffer);
    (void)mb_buffer_unref(buffer);
    sink = data[10]; /* misuse:after_the_last_reference */
}

static void beyond_a_buffer(void)
{
    mb_buffer *buffer = make(100000);
    char *data = mb_buffer_data(buffer);
    sink = data[100000]; /* misuse:beyond_a_buffer */
    (void)mb_buffer_unref(buffer);
}

/* In misuse mode a plain program sees the fill. */
static void stale_bytes(void)
{
    (void)one_cycle(1000);
    const unsigned char *data = (const unsigned char *)one_cycle(1000);
    MB_WORKSPACE(workspace, (void)must(NULL)) {
        unsigned char *again = (unsigned char *)allocate(1000);
        exit(again == data && again[0] == 0xDD && again[999] == 0xDD ? 0 : 4);
    }
}

static void none(void)
{
    for (int i = 0; i < 5; i++) {
        char *data = one_cycle((size_t)(1000 + i * 500));
        (void)data;
        mb_buffer *buffer = make((size_t)(10 + i * 20000));
        memset(mb_buffer_data(buffer), i, mb_buffer_size(buffer));
        (void)mb_buffer_unref(buffer);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} misuses[] = {
    {"after_the_cycle", after_the_cycle},
    {"beyond_an_allocation", beyond_an_allocation},
    {"after_a_spill", after_a_spill},
    {"beyond_a_spill", beyond_a_spill},
    {"before_a_spill", before_a_spill},
    {"after_the_last_reference", after_the_last_reference},
    {"beyond_a_buffer", beyond_a_buffer},
    {"stale_bytes", stale_bytes},
    {"none", none},
};

int main(int argc, char **argv)
{
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    config.spill_policy = MB_SPILL_REALLOCATE;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.flags |= MB_CLIENT_NO_LEARNED_SIZES; /* each run spills in its first cycle */
    if (mb_connect(&options, &client) < 0 || mb_workspace_open(client, "misused", &config, &workspace) < 0) {
        (void)must(NULL);
    }
    for (size_t i = 0; argc == 2 && i < sizeof misuses / sizeof *misuses; i++) {
        if (strcmp(argv[1], misuses[i].name) == 0) {
            misuses[i].run();
            mb_workspace_close(workspace);
            mb_disconnect(client);
            return 0;
        }
    }
    return 2;
}
