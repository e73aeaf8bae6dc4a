// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The workspaces of a thread, and the scopes that are open, as the library has them too. When the thread ends, the library
 * closes its workspaces.
 */
final class ThreadWorkspaces {
    private static final ThreadLocal<ThreadWorkspaces> OWN = new ThreadLocal<>();
    private final Map<Key, BrokerWorkspace> byId = new LinkedHashMap<>();
    private final List<MemoryWorkspace> scopes = new ArrayList<>();

    /** No record: the JDK keeps the class of the first record that is compared, and so its loader, for ever. */
    private static final class Key {
        private final Session session;
        private final String id;

        Key(Session session, String id) {
            this.session = session;
            this.id = id;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Key key && key.session == session && key.id.equals(id);
        }

        @Override
        public int hashCode() {
            return id.hashCode();
        }
    }

    private ThreadWorkspaces() {
    }

    /** The calling thread's; null: it has none. */
    static ThreadWorkspaces find() {
        return OWN.get();
    }

    /** A virtual thread may continue on another thread of the machine, and the library knows only those. */
    static ThreadWorkspaces get() {
        ThreadWorkspaces own = OWN.get();
        if (own == null) {
            if (VirtualThreads.isCurrent()) {
                throw new IllegalStateException("a virtual thread can't have workspaces: use a platform thread, or buffers");
            }
            own = new ThreadWorkspaces();
            OWN.set(own);
        }
        return own;
    }

    BrokerWorkspace find(Session session, String id) {
        return byId.get(new Key(session, id));
    }

    /** Those of sessions that have no connection any more: no manager finds them. */
    static void destroyUnused() {
        ThreadWorkspaces own = OWN.get();
        if (own != null) {
            List.copyOf(own.byId.values()).forEach(ThreadWorkspaces::destroyIfUnused);
        }
    }

    private static void destroyIfUnused(BrokerWorkspace workspace) {
        try {
            if (workspace.session().isUnused && !workspace.isScopeActive()) {
                workspace.destroyWorkspace();
            }
        } catch (IllegalStateException inUse) {
            // by the JDK, for input; it is tried again
        }
    }

    BrokerWorkspace open(Session session, String id, WorkspaceConfiguration configuration) {
        destroyUnused();
        BrokerWorkspace workspace = new BrokerWorkspace(session, this, id, configuration);
        byId.put(new Key(session, id), workspace);
        OWN.set(this); // destroying the last one has removed it
        return workspace;
    }

    List<BrokerWorkspace> of(Session session) {
        return byId.values().stream().filter(workspace -> workspace.session() == session).toList();
    }

    /** A thread that has no more workspaces refers to no class of ours. */
    void forget(BrokerWorkspace workspace) {
        byId.remove(new Key(workspace.session(), workspace.getId()));
        scopes.removeIf(scope -> scope == workspace);
        if (byId.isEmpty() && scopes.isEmpty()) {
            OWN.remove();
        }
    }

    // ---- scopes, the newest last ----

    void push(MemoryWorkspace scope) {
        scopes.add(scope);
    }

    void pop() {
        scopes.remove(scopes.size() - 1);
    }

    /** The newest scope's; null: none is open. */
    MemoryWorkspace current() {
        return scopes.isEmpty() ? null : scopes.get(scopes.size() - 1);
    }

    /** The workspace of the newest scope; null: none is open, or it is scoped out. */
    BrokerWorkspace currentWorkspace() {
        return current() instanceof BrokerWorkspace workspace ? workspace : null;
    }

    /** The workspace in which the current one is nested; null: there is none. */
    BrokerWorkspace parentOfCurrent() {
        int i = scopes.size() - 1;
        while (i > 0 && scopes.get(i - 1) == scopes.get(scopes.size() - 1)) {
            i--;
        }
        return i > 0 && scopes.get(i - 1) instanceof BrokerWorkspace workspace ? workspace : null;
    }

    boolean isAnyActive() {
        return scopes.stream().anyMatch(BrokerWorkspace.class::isInstance);
    }

    MemoryWorkspace scopeOut() {
        NativeWorkspace.scopeOut();
        ScopeOut scope = new ScopeOut(this);
        push(scope);
        return scope;
    }

    void scopeIn(ScopeOut scope) {
        if (OWN.get() != this || current() != scope) {
            throw new IllegalStateException("scopes end in reverse order, in their own thread: the current one is "
                    + (current() == null ? "none" : "\"" + current().getId() + "\""));
        }
        NativeWorkspace.scopeIn();
        pop();
    }
}
