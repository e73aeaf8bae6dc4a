// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The session that all users of this process share, as long as there are any. */
final class SharedSession {
    private static final int EEXIST = 17;
    private static final int COLLECTIONS = 20;
    private static Session session;
    private static int users;
    private static boolean hasDropped; // a session, which may still wait for the collector

    private SharedSession() {
    }

    static synchronized Session use(ConnectOptions options, boolean acceptsAny) {
        if (session == null) {
            session = open(options, acceptsAny);
        } else if (!acceptsAny && !session.options.isSame(options)) {
            throw new IllegalStateException("this process shares a session with other options: " + session.options
                    + "; connect with the same ones, or with shared(false)");
        }
        users++;
        return session;
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

    /** Does nothing for a session that is not shared. */
    static synchronized void drop(Session used) {
        if (used == session && --users == 0) {
            hasDropped = true;
            session = null;
        }
    }
}
