/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/output.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "client/ctl/ctl.h"

/* It ends as a write to a pipe without a reader would end it. */
static void *await_loss(void *unused)
{
    struct pollfd output = {.fd = STDOUT_FILENO}; /* what has no reader, such as a file, is never ready */
    int ready;
    (void)unused;
    do {
        ready = poll(&output, 1, -1);
    } while (ready < 0 && errno == EINTR);
    if (output.revents & (POLLERR | POLLHUP)) {
        (void)raise(SIGPIPE);
        _exit(CTL_REFUSED); /* the signal is ignored */
    }
    return NULL;
}

void output_end_with_reader(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, await_loss, NULL) == 0) {
        (void)pthread_detach(thread);
    }
}
