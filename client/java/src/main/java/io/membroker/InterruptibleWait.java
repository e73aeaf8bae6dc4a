// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.spi.AbstractInterruptibleChannel;

/**
 * A wait of the calling thread in the library, which an interrupt ends. The JDK offers this to channels: an interrupt closes
 * the one that the thread waits in.
 */
final class InterruptibleWait extends AbstractInterruptibleChannel {
    private final long wait;
    private boolean isOver;

    private InterruptibleWait(long wait) {
        this.wait = wait;
    }

    /** Called by the shim before the wait. If the thread is interrupted already, this cancels the wait. */
    @SuppressWarnings("unused")
    private static InterruptibleWait begun(long wait) {
        InterruptibleWait interruptible = new InterruptibleWait(wait);
        interruptible.begin();
        return interruptible;
    }

    /** Called by the shim after the wait, which the library forgets then. */
    @SuppressWarnings("unused")
    private void ended() {
        synchronized (this) {
            isOver = true;
        }
        try {
            end(true);
        } catch (AsynchronousCloseException interrupted) {
            return; // the request has failed too, and the thread stays interrupted
        }
    }

    /** In the thread that interrupts, in some versions of the JDK perhaps after the wait. */
    @Override
    protected synchronized void implCloseChannel() {
        if (!isOver) {
            NativeClient.cancelWait(wait);
        }
    }
}
