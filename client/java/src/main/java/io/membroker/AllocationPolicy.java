// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** Whether the arena of a workspace is larger than what was configured or learned. */
public enum AllocationPolicy {
    /** Exactly that size. */
    STRICT(1),
    /** Larger by the overallocation limit, once. */
    OVERALLOCATE(0);

    final int code;

    AllocationPolicy(int code) {
        this.code = code;
    }
}
