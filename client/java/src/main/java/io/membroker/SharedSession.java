// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The session that all users of this process share, as long as there are any. */
final class SharedSession {
    private static Session session;
    private static int users;

    private SharedSession() {
    }

    static synchronized Session use(ConnectOptions options) {
        if (session == null) {
            session = Session.open(options);
        } else if (!session.options.equals(options)) {
            throw new IllegalStateException("this process shares a session with other options: " + session.options
                    + "; connect with the same ones, or with shared(false)");
        }
        users++;
        return session;
    }

    /** Does nothing for a session that is not shared. */
    static synchronized void drop(Session used) {
        if (used == session && --users == 0) {
            session = null;
        }
    }
}
