/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/publication.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/attach.h"
#include "tests/bench/measure.h"

enum { WAIT_MS = 10000 };

mb_client *connect_one(void)
{
    mb_client *client;
    if (mb_connect(NULL, &client) < 0)
        measure_fail("mb_connect", mb_last_error());
    return client;
}

mb_block *block_create(mb_client *client, size_t bytes)
{
    mb_block *block;
    if (mb_block_create(client, bytes, NULL, &block) < 0)
        measure_fail("mb_block_create", mb_last_error());
    attach_fill(mb_block_data(block), bytes);
    return block;
}

void block_publish(mb_block *block, const char *name)
{
    if (mb_block_publish(block, name) < 0)
        measure_fail("mb_block_publish", mb_last_error());
}

mb_view *view_attach(mb_client *client, const char *name)
{
    mb_view *view;
    if (mb_attach(client, name, WAIT_MS, &view) < 0)
        measure_fail("mb_attach", mb_last_error());
    return view;
}

void view_end(mb_view *view)
{
    if (mb_view_check(view) < 0 || mb_view_close(view) < 0)
        measure_fail("mb_view_check", mb_last_error());
}

pid_t process_start(void (*verb)(int pipe), int pipe)
{
    pid_t process = fork();
    if (process < 0)
        measure_fail_errno("fork");
    if (process == 0) {
        verb(pipe);
        _exit(0);
    }
    return process;
}

void process_finish(pid_t process)
{
    int status;
    if (waitpid(process, &status, 0) < 0 || status != 0)
        measure_fail("publisher", "it failed; see the line above");
}
