// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * Something else can still write to the memory that was to be published: a forked child, a buffer that is registered with
 * io_uring, or a system call that fills it. End that, and publish again.
 */
public final class StillWritableException extends MemoryBrokerException {
    private static final long serialVersionUID = 1;

    StillWritableException(int errno, String sentence) {
        super(errno, sentence);
    }
}
