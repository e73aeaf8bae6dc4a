// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** Who may attach a block. */
public enum BlockAccess {
    /** Processes of the publisher's user. */
    USER,
    /** And those in a group, {@link BlockOptions#group()}. */
    GROUP,
    /** All users of the broker. */
    ALL
}
