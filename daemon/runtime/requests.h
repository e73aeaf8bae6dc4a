/* SPDX-License-Identifier: Apache-2.0 */
/* What each request does: a table of handlers. */
#pragma once

#include "daemon/runtime/connection.h"

/* Serves a request. The connection may have ended afterwards. */
void requests_serve(struct connection *connection, const struct request *request);

/* Answers a request of which a field makes no sense. */
void requests_answer_fault(struct connection *connection, const struct request *request, const char *fault);
