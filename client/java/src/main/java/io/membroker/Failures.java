// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.charset.StandardCharsets;

/** Makes exceptions of errors; the shim calls it. */
final class Failures {
    private static final int ENOMEM = 12;
    private static final int EEXIST = 17;
    private static final int ENOSPC = 28;
    private static final int ENOTCONN = 107;
    private static final int ESHUTDOWN = 108;
    private static final int ETIMEDOUT = 110;
    private static final int ECANCELED = 125;

    private Failures() {
    }

    static RuntimeException of(int code, byte[] utf8) {
        int errno = -code;
        String sentence = new String(utf8, StandardCharsets.UTF_8);
        return switch (errno) {
            case ENOMEM, ENOSPC -> new MemoryLimitException(errno, sentence, Refusal.UNKNOWN);
            case ENOTCONN, ESHUTDOWN, ETIMEDOUT -> new NotConnectedException(errno, sentence);
            case ECANCELED -> Thread.currentThread().isInterrupted() ? new InterruptedWaitException(errno, sentence)
                    : new MemoryBrokerException(errno, sentence);
            default -> new MemoryBrokerException(errno, sentence);
        };
    }

    /** The same if the library has figures. */
    static RuntimeException refused(int code, byte[] utf8, byte[] limit, byte[] whose, long[] bytes,
            boolean mayFitLater, long[] numbers, byte[][] names) {
        Refusal refusal = Refusal.of(limit, whose, bytes, mayFitLater, numbers, names);
        return new MemoryLimitException(-code, new String(utf8, StandardCharsets.UTF_8) + refusal.advice(), refusal);
    }

    /** For a lease that has ended. */
    static RuntimeException lost(int code, byte[] utf8, int endReason, long leaseId) {
        return new LeaseLostException(-code, new String(utf8, StandardCharsets.UTF_8), EndReason.of(endReason), leaseId);
    }

    /** For a block whose name is taken, or whose memory can still be written to. */
    static RuntimeException notPublished(int code, byte[] utf8) {
        String sentence = new String(utf8, StandardCharsets.UTF_8);
        return code == -EEXIST ? new NameTakenException(-code, sentence) : new StillWritableException(-code, sentence);
    }

    /** For a name that no block has, or that of a block that has ended. */
    static RuntimeException noBlock(int code, byte[] utf8, int endReason) {
        return new NoSuchBlockException(-code, new String(utf8, StandardCharsets.UTF_8), EndReason.of(endReason));
    }
}
