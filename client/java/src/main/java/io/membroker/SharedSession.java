// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.ref.WeakReference;

/** The session that all users of this process share, as long as there are any. */
final class SharedSession {
    private static final int EEXIST = 17;
    private static final int COLLECTIONS = 20;
    private static Session session;
    private static WeakReference<Session> newest = new WeakReference<>(null);
    private static int users;
    private static boolean hasDropped; // a session, which may still wait for the collector

    private SharedSession() {
    }

    static synchronized Session use(ConnectOptions options, boolean acceptsAny) {
        if (session == null) {
            session = revive(options, acceptsAny);
        }
        if (session == null) {
            session = open(options, acceptsAny);
            newest = new WeakReference<>(session);
        } else if (!acceptsAny && !session.options.isSame(options)) {
            throw new IllegalStateException("this process shares a session with other options: " + session.options
                    + "; connect with the same ones, or with shared(false)");
        }
        users++;
        session.isUnused = false;
        return session;
    }

    /** The one before, if a buffer or a workspace keeps it; null: there is none with such options. */
    private static Session revive(ConnectOptions options, boolean acceptsAny) {
        Session before = newest.get();
        return before != null && (acceptsAny || before.options.isSame(options)) ? before : null;
    }

    private static Session open(ConnectOptions options, boolean acceptsAny) {
        for (int i = 0; ; i++) {
            try {
                return Session.open(options, Session.Sharing.SHARED);
            } catch (MemoryBrokerException failed) {
                hasDropped &= i < COLLECTIONS;
                if (failed.errno() != EEXIST || !hasDropped && !acceptsAny) {
                    throw failed;
                }
                if (!hasDropped) {
                    return Session.open(options, Session.Sharing.SHARED_WITH_ANY_OPTIONS);
                }
                System.gc();
                Pauses.pause(10);
            }
        }
    }

    /** Ends a use of a session, which may be one that is not shared. */
    static synchronized void drop(Session used) {
        if (used == session && --users > 0) {
            return;
        }
        used.isUnused = true;
        if (used == session) {
            hasDropped = true;
            session = null;
        }
    }
}
