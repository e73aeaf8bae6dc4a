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

    /**
     * Called by the shim before the wait. If the thread is interrupted already, this cancels the wait. Null: nothing but an
     * interrupt cancels it.
     */
    @SuppressWarnings("unused")
    private static InterruptibleWait begun(long wait, CancellableWaits waits) {
        InterruptibleWait interruptible = new InterruptibleWait(wait);
        interruptible.begin();
        if (waits != null) {
            waits.begun(interruptible);
        }
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
    protected void implCloseChannel() {
        cancel();
    }

    /** In any thread, also after the wait. */
    synchronized void cancel() {
        if (!isOver) {
            NativeClient.cancelWait(wait);
        }
    }
}
