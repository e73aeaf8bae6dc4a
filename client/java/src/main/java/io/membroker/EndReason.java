// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** Why a lease ended, or a block lost its name. */
public enum EndReason {
    /** It has not ended, or the reason is not known. */
    NONE(0),
    /** The program released it; of a block: its publisher closed it. */
    RELEASED(1),
    /**
     * It was not renewed within its time to live, for example because the process was stopped; of a block: the time for which it
     * was kept is over.
     */
    EXPIRED(2),
    /** An administrator or its owner revoked it, or the broker did so for a request of higher priority. */
    REVOKED(3),
    /** The process ended, in whatever way, without releasing it. */
    DIED(4),
    /** The connection was not resumed within the broker's grace time. */
    DISCONNECTED(5),
    /** The broker shut down. */
    SHUTDOWN(6),
    /** A client changed the size or the blocks of a segment. */
    TAMPERED(7),
    /** The block was unpublished. */
    UNPUBLISHED(8),
    /** Another block took the name of the block. */
    REPLACED(9),
    /** The block was evicted because memory was short. */
    EVICTED(10),
    /** The broker disappeared. */
    BROKER_GONE(100);

    private final int code;

    EndReason(int code) {
        this.code = code;
    }

    static EndReason of(long code) {
        for (EndReason reason : values()) {
            if (reason.code == code) {
                return reason;
            }
        }
        return REVOKED;
    }
}
