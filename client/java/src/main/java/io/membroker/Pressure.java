// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The memory pressure of the host. */
public enum Pressure {
    /** No task waits for memory. */
    NONE,
    /** Some tasks wait for memory. */
    SOME,
    /** All tasks that could run wait for memory. */
    FULL
}
