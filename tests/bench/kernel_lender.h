/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lender with nothing around it: a process that listens on a Unix socket, answers each hello with a memfd of one
 * page, and lends sealed memfds, in one epoll loop. A released memfd is truncated. What it costs is the price that no
 * broker on a socket can go under.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

enum lender_question { LENDER_HELLO, LENDER_BORROW, LENDER_RELEASE };

struct lender {
    pid_t process;
    char name[64]; /* in the abstract name space of Unix sockets */
};

/* Starts the lender; its memfds are of so many bytes. */
struct lender lender_start(size_t bytes);

/* Ends the process and returns the processor time that it took, in microseconds. */
double lender_stop(const struct lender *lender);

/* A connection that has said hello. The memfd that comes with the answer is mapped and unmapped. */
int lender_connect(const struct lender *lender);

/* Borrows a memfd and returns it. */
int lender_borrow(int socket);

/* Tells the lender that the memfd borrowed last is not needed any more. There is no answer. */
void lender_release(int socket);
