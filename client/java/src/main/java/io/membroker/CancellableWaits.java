// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The waits of an object that any thread may close: then the wait of now ends, and so does each later one. */
final class CancellableWaits {
    private InterruptibleWait latest;
    private volatile boolean areCancelled;

    synchronized void begun(InterruptibleWait wait) {
        latest = wait;
        if (areCancelled) {
            wait.cancel();
        }
    }

    synchronized void cancel() {
        areCancelled = true;
        if (latest != null) {
            latest.cancel();
        }
    }

    boolean areCancelled() {
        return areCancelled;
    }
}
