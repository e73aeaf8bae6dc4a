/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGBUS. A program with the guard that touches the memory of a lost lease finds private zero pages. One without the
 * guard is killed, but says why on standard error. Any other SIGBUS goes to the handler that was installed before, or
 * does what it did before.
 */
#pragma once

#include <stdbool.h>

/*
 * Installs the process's handler unless it is there. If the client does not want the guard and the program has a
 * handler, that one stays. Returns 0 or negative errno with the sentence set. Any thread.
 */
int bus_error_install(bool guards);
