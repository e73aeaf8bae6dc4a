// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** No block or object has the name, or this user may not have the one that has it, or the block has ended. */
public final class NoSuchBlockException extends MemoryBrokerException {
    private static final long serialVersionUID = 1;

    /** Why it ended. */
    private final EndReason endReason;

    NoSuchBlockException(int errno, String sentence, EndReason endReason) {
        super(errno, sentence);
        this.endReason = endReason;
    }

    /**
     * Returns why the block ended, such as {@link EndReason#EVICTED}.
     *
     * @return the reason; {@link EndReason#NONE} if there was no block of that name
     */
    public EndReason endReason() {
        return endReason;
    }
}
