/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds of harm have in common: random numbers, and a client that speaks the protocol itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

/* False: there is no memory. */
bool harm_begin(unsigned seed);
void harm_end(void);

unsigned below(unsigned limit);
void pause_ms(long milliseconds);

/* A connection, without or with a session; -EBADF: there is none. Nothing is heard for longer than two seconds. */
int dial(void);
int greet(void);

/* Gives the request an id at random and sends it. */
void tell(int fd, struct request *request);

/* False: nothing came. The first descriptor with it is the caller's, if it wants one; -EBADF: there is none. */
bool hear_with(int fd, struct reply *ret, int *ret_descriptor);
bool hear(int fd, struct reply *ret);

/* The lease or view that is granted; a number at random if none is, or nobody listens. */
uint64_t ask_for_lease(int fd, struct request *request, bool listen);
uint64_t acquire(int fd, bool listen);

/* Of blocks, small objects and watches. */
void misuse_blocks(void);
void hold_views(void);
void misuse_boards(void);
void misuse_watches(void);
void watch_without_reading(void);
