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

    /** Which it was. */
    private final long leaseId;

    LeaseLostException(int errno, String sentence, EndReason reason, long leaseId) {
        super(errno, sentence);
        this.reason = reason;
        this.leaseId = leaseId;
    }

    /**
     * Returns the number of the lease, as {@link Lease#id} and {@code membrokerctl events} have it. A workspace may have
     * several leases, and small buffers share one.
     *
     * @return the number; 0 if the library can't tell
     */
    public long leaseId() {
        return leaseId;
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
