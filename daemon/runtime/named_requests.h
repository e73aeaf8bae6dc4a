/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests for files that programs name: the core needs to know how long the file is, and only a worker may ask, since
 * the user can hold the directory's lock. The request goes to the core once that is known.
 */
#pragma once

#include "daemon/runtime/connection.h"

/* Goes on with a request; its file has this length, or 0: there is no such file. */
typedef void named_request_ready(struct connection *connection, const struct request *request, uint64_t file_bytes);

/* Measures the file of an acquire. 0; -ENOMEM; -EBUSY: the user waits for stuck work of its own. */
int named_request_begin(struct connection *connection, const struct request *request, named_request_ready *ready);

/* True: this request was still being measured, and is forgotten. */
bool named_request_cancel(const struct connection *connection, uint64_t request_id);
