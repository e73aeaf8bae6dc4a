// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** When the name of a block ends. Its memory stays as long as a process of its user has a view of it. */
public enum BlockLifetime {
    /** When the block is closed, or its publisher ends. */
    SESSION,
    /** When it is unpublished, or after {@link BlockOptions#keep()}. The publisher may end before. */
    KEEP,
    /** When it is unpublished, or if memory is short and no process has a view of it. The publisher may end before. */
    CACHE
}
