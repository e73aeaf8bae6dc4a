// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** When the arena of a workspace is empty again. */
public enum ResetPolicy {
    /** At the end of each cycle. */
    BLOCK_LEFT(0),
    /** When its end is reached: the workspace is circular. */
    ENDOFBUFFER_REACHED(1);

    final int code;

    ResetPolicy(int code) {
        this.code = code;
    }
}
