/* SPDX-License-Identifier: Apache-2.0 */
/* The hello of a client: a session is opened or resumed, or the client is a monitor. */
#pragma once

#include "daemon/runtime/connection.h"

void hello_serve(struct connection *connection, const struct request *request);

/* Answers a request for which a control page could not be had: `answer` is control_open()'s or control_grow()'s. */
void hello_refuse_control(struct connection *connection, const struct request *request, int answer);
