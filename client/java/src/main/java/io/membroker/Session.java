// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Cleaner;

/**
 * A session with the broker. Everything that lives in the session refers to it, and it ends when nothing does any more: so
 * no call can meet a client that is gone.
 */
final class Session {
    static final Cleaner CLEANER = Cleaner.create();
    private static final VarHandle LOSSES = lossesHandle();
    private static final int GUARD = 2;
    private static final int NO_RENEW = 8;
    private static final int EVENT_LEASE_LOST = 2;
    private static final int EVENT_NEW_SESSION = 11;

    final ConnectOptions options;
    private final long handle;

    /** No connection uses it; a buffer or a workspace may keep it. */
    volatile boolean isUnused;

    /** How many losses there were. A region compares it with the number that it knows. */
    int losses;

    /** Whose client a session is of. */
    enum Sharing {
        /** Its own. */
        OWN,
        /** The process's, with these options. */
        SHARED,
        /** The process's, which another library has connected. */
        SHARED_WITH_ANY_OPTIONS
    }

    private Session(ConnectOptions options, Sharing sharing) {
        this.options = options.checked();
        long[] numbers = {options.heapBytes(), options.maxBytes(), limitOfRam(options), options.cacheBytes()};
        int[] settings = {(options.guards() ? GUARD : 0) | (options.renews() ? 0 : NO_RENEW),
            Milliseconds.of(options.timeout()), options.maxRetries(), Milliseconds.of(options.retryWait()),
            Milliseconds.of(options.maxWait()), sharing.ordinal()};
        this.handle =
                NativeClient.connect(this, Text.utf8(options.socket()), Text.utf8(options.name()), numbers, settings);
    }

    static Session open(ConnectOptions options, Sharing sharing) {
        Session session = new Session(options, sharing);
        CLEANER.register(session, disconnection(session.handle));
        return session;
    }

    /** None if the limit of all bytes is as small: then a refusal names that one, which a mapped file does not evade. */
    private static long limitOfRam(ConnectOptions options) {
        boolean isImplied = options.maxBytes() > 0 && options.maxPhysicalBytes() >= options.maxBytes();
        return isImplied ? 0 : options.maxPhysicalBytes();
    }

    private static VarHandle lossesHandle() {
        try {
            return MethodHandles.lookup().findVarHandle(Session.class, "losses", int.class);
        } catch (ReflectiveOperationException impossible) {
            throw new ExceptionInInitializerError(impossible);
        }
    }

    private static Runnable disconnection(long handle) {
        return () -> NativeClient.disconnect(handle);
    }

    /** Returns {@link #losses} for a thread that reads no memory: a loop over this sees each loss soon. */
    int losses() {
        return (int) LOSSES.getOpaque(this);
    }

    /** For a call of the shim, which must be followed by {@link java.lang.ref.Reference#reachabilityFence}. */
    long handle() {
        return handle;
    }

    /** Called by the shim, in a thread of the library's. */
    @SuppressWarnings("unused")
    private void onEvent(int type, long lease, int reason, long milliseconds, long bytes) {
        if (type == EVENT_LEASE_LOST || type == EVENT_NEW_SESSION) {
            LOSSES.getAndAdd(this, 1);
        }
    }

    /** Called by the shim, in the thread that allocates: what no one refers to any more may be large off the heap. */
    @SuppressWarnings("unused")
    private void onReclaim(long wantedBytes, int attempt) {
        System.gc();
    }
}
