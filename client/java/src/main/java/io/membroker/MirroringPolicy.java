// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** Where copies are. Only stored: without a device there is one copy, the host's. */
public enum MirroringPolicy {
    /** Host and device. */
    FULL(0),
    /** Host. */
    HOST_ONLY(1);

    final int code;

    MirroringPolicy(int code) {
        this.code = code;
    }
}
