/* SPDX-License-Identifier: Apache-2.0 */
/* Sending answers and events on a connection. */
#pragma once

#include "daemon/runtime/connection.h"

/* Encodes and sends; `fd` travels with it unless negative. A connection that can't take it is closed; one that has
 * ended drops it. */
void reply_send(struct connection *connection, struct reply *reply, int fd);

/* The same with another descriptor, unless that is negative. */
void reply_send_two(struct connection *connection, struct reply *reply, int fd, int second);

/* Sends an error that answers no request, then closes. */
__attribute__((format(printf, 3, 4))) void reply_fail(struct connection *connection, enum error_code code,
                                                      const char *format, ...);

/* Tells that its session was resumed on another connection, and closes. */
void reply_replaced(struct connection *connection);

/* Answers a request; one without an id wants no answer. */
void reply_answer(struct connection *connection, const struct request *request, struct reply *reply, int fd);

/* The same with an error. */
void reply_error(struct connection *connection, const struct request *request, enum error_code code,
                 const char *sentence);
