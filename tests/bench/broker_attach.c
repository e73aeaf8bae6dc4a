/* SPDX-License-Identifier: Apache-2.0 */
/* Published blocks: to attach, read and close one (microseconds). The publisher is a process of its own. */
#include <membroker.h>
#include <unistd.h>

#include "tests/bench/attach.h"
#include "tests/bench/measure.h"
#include "tests/bench/publication.h"

static void publish_all_sizes(int pipe)
{
    char end;
    mb_client *client = connect_one();
    for (int i = 0; i < ATTACH_SIZES; i++)
        block_publish(block_create(client, attach_sizes[i].bytes), attach_sizes[i].name);
    if (read(pipe, &end, 1) < 0) /* returns when the reader closes its end */
        measure_fail_errno("read");
    mb_disconnect(client);
}

struct reader {
    mb_client *client;
    const char *name;
};

static void attach_once(void *context)
{
    const struct reader *reader = context;
    uint64_t bytes;
    mb_view *view = view_attach(reader->client, reader->name);
    const char *memory = mb_view_data(view, &bytes);
    attach_read(memory, bytes);
    view_end(view);
}

int main(void)
{
    int pipes[2];
    if (pipe(pipes) < 0)
        measure_fail_errno("pipe");
    pid_t publisher = fork();
    if (publisher == 0) {
        (void)close(pipes[1]);
        publish_all_sizes(pipes[0]);
        _exit(0);
    }
    struct reader reader = {.client = connect_one()};
    for (int i = 0; i < ATTACH_SIZES; i++) {
        reader.name = attach_sizes[i].name;
        attach_measure(&attach_sizes[i], attach_once, &reader);
    }
    mb_disconnect(reader.client);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    process_finish(publisher);
    return 0;
}
