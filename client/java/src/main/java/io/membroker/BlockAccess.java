// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** Who may attach a block, or get an object. */
public enum BlockAccess {
    /** Processes of the publisher's user. */
    USER,
    /** And those in a group, {@link BlockOptions#group()} or {@link ObjectOptions#group()}. */
    GROUP,
    /** All users of the broker. */
    ALL
}
