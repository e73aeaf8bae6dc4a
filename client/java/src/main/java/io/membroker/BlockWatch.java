// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Tells what becomes of the blocks whose names begin with a prefix: first those that there are, in the order of their names,
 * each as published, and then what happens. {@link MemoryBroker#watch} begins it.
 *
 * <p>A block that was told ends exactly once. A name that is replaced comes twice: the end of the old block, and the new
 * block. To read a block, attach it; it may have ended meanwhile.
 *
 * <p>A program that is slow costs the broker nothing, and misses no end. If more happened than the broker keeps, or if the
 * broker was restarted, the watch tells what is different now: then a block that came and went meanwhile is not told, and
 * ends have the reason {@link EndReason#NONE}.
 *
 * <p>Any thread may use a watch, also while another one does: each change is given to one of them. A watch is closed with
 * the connection that began it.
 */
public final class BlockWatch implements AutoCloseable {
    private static final int ECANCELED = 125;

    private final Session session;
    private final Set<BlockWatch> siblings;
    private final String prefix;
    private final long handle;
    private final Cleaner.Cleanable ending;
    private final CancellableWaits waits = new CancellableWaits();
    private final ReentrantLock turn = new ReentrantLock();

    BlockWatch(Session session, Set<BlockWatch> siblings, long user, String prefix) {
        this.session = session;
        this.siblings = siblings;
        this.prefix = Objects.requireNonNull(prefix, "prefix");
        this.handle = NativeBlockWatch.begin(session.handle(), user, Text.utf8(prefix));
        this.ending = Session.CLEANER.register(this, ending(handle));
        Reference.reachabilityFence(session);
        siblings.add(this);
    }

    private static Runnable ending(long handle) {
        return () -> NativeBlockWatch.end(handle);
    }

    /**
     * Waits for the next change. {@link MemoryBroker#cancelWaits} ends the wait.
     *
     * @return the change
     * @throws InterruptedWaitException if the thread is interrupted; no change is lost by that
     * @throws NotConnectedException if there is no broker; the watch goes on when there is one again
     * @throws IllegalStateException if the watch is closed, also by another thread during the wait
     * @throws MemoryBrokerException if the wait is cancelled, or if so many watches of the session wait already
     */
    public BlockChange take() {
        BlockChange change = null;
        while (change == null) {
            change = next(Integer.MAX_VALUE);
        }
        return change;
    }

    /**
     * Waits for the next change for some time. {@link MemoryBroker#cancelWaits} ends the wait.
     *
     * @param wait for how long; zero: asks the broker once, and ignores interrupts
     * @return the change; null: nothing changed in that time
     * @throws InterruptedWaitException if it may wait, and the thread is interrupted; no change is lost by that
     * @throws NotConnectedException if there is no broker; the watch goes on when there is one again
     * @throws IllegalStateException if the watch is closed, also by another thread during the wait
     * @throws MemoryBrokerException if the wait is cancelled, or if so many watches of the session wait already
     */
    public BlockChange poll(Duration wait) {
        return next(Milliseconds.of(wait));
    }

    private BlockChange next(int milliseconds) {
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(milliseconds);
        requireOpen();
        if (!takeTurn(milliseconds)) {
            return null;
        }
        try {
            long left = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime());
            return ask(milliseconds == 0 ? 0 : (int) Math.max(1, left));
        } finally {
            turn.unlock();
            freeIfClosed();
        }
    }

    private boolean takeTurn(int milliseconds) {
        try {
            return milliseconds == 0 ? turn.tryLock() : turn.tryLock(milliseconds, TimeUnit.MILLISECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new InterruptedWaitException(ECANCELED, "the wait for a change was cancelled");
        }
    }

    private BlockChange ask(int milliseconds) {
        requireOpen();
        try {
            return NativeBlockWatch.next(handle, milliseconds, waits);
        } catch (MemoryBrokerException failed) {
            if (failed.errno() == ECANCELED) {
                requireOpen();
            }
            throw failed;
        } finally {
            Reference.reachabilityFence(session);
            Reference.reachabilityFence(this);
        }
    }

    private void requireOpen() {
        if (waits.areCancelled()) {
            throw new IllegalStateException("the watch of \"" + prefix + "\" is closed");
        }
    }

    /** A thread that waits frees it afterwards: the broker may take its time to answer that thread. */
    private void freeIfClosed() {
        if (waits.areCancelled() && turn.tryLock()) {
            try {
                ending.clean();
            } finally {
                turn.unlock();
            }
        }
    }

    /** Ends the watch, and the wait of a thread for a change. Does nothing if it is closed already. */
    @Override
    public void close() {
        siblings.remove(this);
        waits.cancel();
        freeIfClosed();
    }

    @Override
    public String toString() {
        return "watch of blocks \"" + prefix + "\"" + (waits.areCancelled() ? ", closed" : "");
    }
}
