// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * The lease under this memory has ended before the program released it. What the program read from the memory since then
 * is not its data: discard the results, acquire new memory and compute them again.
 */
public final class LeaseLostException extends MemoryBrokerException {
    private static final long serialVersionUID = 1;

    /** Why the lease ended. */
    private final EndReason reason;

    LeaseLostException(int errno, String sentence, EndReason reason) {
        super(errno, sentence);
        this.reason = reason;
    }

    /**
     * Returns why the lease ended: a revocation, for example, or that the broker is gone.
     *
     * @return the reason; {@link EndReason#NONE} if the library can't tell
     */
    public EndReason endReason() {
        return reason;
    }
}
