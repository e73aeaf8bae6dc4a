// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** There is no broker, it did not answer in time, or it shuts down. The program may try again later. */
public final class NotConnectedException extends MemoryBrokerException {
    private static final long serialVersionUID = 1;

    NotConnectedException(int errno, String sentence) {
        super(errno, sentence);
    }
}
