// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * The user has another block of that name. A block with the option {@link BlockOptions.Builder#replace} takes the name from
 * it.
 */
public final class NameTakenException extends MemoryBrokerException {
    private static final long serialVersionUID = 1;

    NameTakenException(int errno, String sentence) {
        super(errno, sentence);
    }
}
