/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting off a client that does not receive its descriptors, when others have no room for their first few. */
#pragma once

struct connection;
struct outboxes;

/* Looks for the worst and closes its connection; logs if there is nobody whom to close helps. */
void cut_off_worst(struct outboxes *outboxes);

/* Counts and logs that a client which does not read its answers is disconnected; the caller closes the connection. */
void cut_off_slow_reader(const struct connection *connection);
