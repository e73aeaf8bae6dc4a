// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * A request that the broker or the client library refused, or that failed. The message is the sentence of the broker or of
 * the library: what failed, the figures, and what to do.
 */
public class MemoryBrokerException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The number of the error, as in {@code errno.h}. */
    private final int errno;

    MemoryBrokerException(int errno, String sentence) {
        super(sentence);
        this.errno = errno;
    }

    /**
     * Returns the number of the error, such as 12 for {@code ENOMEM}.
     *
     * @return a positive number of {@code errno.h}
     */
    public int errno() {
        return errno;
    }
}
