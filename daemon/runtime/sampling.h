/* SPDX-License-Identifier: Apache-2.0 */
/* Samples for the history, at regular times. */
#pragma once

struct server;

void sampling_start(struct server *server);
