/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP side: /metrics, answered by what the collector has. */
#pragma once

#include <stdbool.h>

/* Serves on a listening socket, in a thread of its own. False: it could not begin. */
bool http_start(int listener);

/* The collector is done: scrapes that wait are answered. */
void http_resume(void);
