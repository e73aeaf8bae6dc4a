// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * The lease under this memory has ended before the program released it. What the program read from the memory since then
 * is not its data: discard the results, acquire new memory and compute them again.
 */
public final class LeaseLostException extends MemoryBrokerException {
    private static final long serialVersionUID = 1;

    LeaseLostException(int errno, String sentence) {
        super(errno, sentence);
    }
}
