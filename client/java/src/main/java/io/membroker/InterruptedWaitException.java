// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * The thread was interrupted while it waited for the broker: in the broker's queue, or for a connection. The thread stays
 * interrupted. A request that may wait throws this also if the thread was interrupted before; one that may not wait is not
 * concerned.
 */
public final class InterruptedWaitException extends MemoryBrokerException {
    private static final long serialVersionUID = 1;

    InterruptedWaitException(int errno, String sentence) {
        super(errno, sentence + ", because the thread was interrupted");
    }
}
