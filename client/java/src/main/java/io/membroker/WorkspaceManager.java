// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.io.PrintStream;
import java.util.List;
import java.util.Objects;
import java.util.UUID;

/**
 * The workspaces of the calling thread, with the names of ND4J. Two threads that use the same id have two workspaces. Any
 * thread may use a manager, but no virtual one.
 */
public final class WorkspaceManager {
    /** The id of calls that have none. */
    public static final String DEFAULT_ID = "DefaultWorkspace";

    private final MemoryBroker broker;
    private volatile WorkspaceConfiguration defaults = WorkspaceConfiguration.builder().build();

    WorkspaceManager(MemoryBroker broker) {
        this.broker = broker;
    }

    // ---- making and finding ----

    /**
     * Sets the configuration of calls that have none.
     *
     * @param configuration the configuration
     */
    public void setDefaultWorkspaceConfiguration(WorkspaceConfiguration configuration) {
        defaults = Objects.requireNonNull(configuration, "configuration");
    }

    /**
     * Opens a workspace with the default configuration and an id that nothing else has.
     *
     * @return the workspace
     */
    public MemoryWorkspace createNewWorkspace() {
        return createNewWorkspace(defaults);
    }

    /**
     * Opens a workspace with an id that nothing else has.
     *
     * @param configuration what it should be
     * @return the workspace
     */
    public MemoryWorkspace createNewWorkspace(WorkspaceConfiguration configuration) {
        return createNewWorkspace(configuration, UUID.randomUUID().toString());
    }

    /**
     * Opens a workspace.
     *
     * @param configuration what it should be
     * @param id its name, at most 63 bytes of UTF-8
     * @return the workspace
     * @throws IllegalStateException if the thread has one of that name
     * @throws MemoryLimitException if its initial size does not fit
     */
    public MemoryWorkspace createNewWorkspace(WorkspaceConfiguration configuration, String id) {
        Values.name("id", Objects.requireNonNull(id, "id"));
        Objects.requireNonNull(configuration, "configuration");
        if (checkIfWorkspaceExists(id)) {
            throw new IllegalStateException("this thread has a workspace \"" + id
                    + "\" already; getWorkspaceForCurrentThread() returns it");
        }
        return ThreadWorkspaces.get().open(broker.open(), id, configuration);
    }

    /**
     * Returns the thread's workspace of that name, whatever its configuration; opens it with the default configuration if
     * there is none.
     *
     * @param id its name
     * @return the workspace
     */
    public MemoryWorkspace getWorkspaceForCurrentThread(String id) {
        BrokerWorkspace existing = ThreadWorkspaces.get().find(broker.open(), Objects.requireNonNull(id, "id"));
        return existing != null ? existing : createNewWorkspace(defaults, id);
    }

    /**
     * Returns the thread's workspace of that name; opens it if there is none.
     *
     * @param configuration what it should be
     * @param id its name
     * @return the workspace
     * @throws IllegalStateException if there is one with another configuration, which ND4J would ignore
     */
    public MemoryWorkspace getWorkspaceForCurrentThread(WorkspaceConfiguration configuration, String id) {
        Objects.requireNonNull(configuration, "configuration");
        BrokerWorkspace existing = ThreadWorkspaces.get().find(broker.open(), Objects.requireNonNull(id, "id"));
        if (existing == null) {
            return createNewWorkspace(configuration, id);
        }
        if (!existing.getWorkspaceConfiguration().isSame(configuration)) {
            throw new IllegalStateException("this thread has a workspace \"" + id + "\" with another configuration: "
                    + existing.getWorkspaceConfiguration());
        }
        return existing;
    }

    /**
     * Returns the thread's default workspace.
     *
     * @return the workspace
     */
    public MemoryWorkspace getWorkspaceForCurrentThread() {
        return getWorkspaceForCurrentThread(DEFAULT_ID);
    }

    /**
     * Enters the thread's workspace of that name, for try-with-resources.
     *
     * @param id its name
     * @return the workspace
     */
    public MemoryWorkspace getAndActivateWorkspace(String id) {
        return activate(getWorkspaceForCurrentThread(id));
    }

    /**
     * Enters the thread's workspace of that name, for try-with-resources.
     *
     * @param configuration what it should be
     * @param id its name
     * @return the workspace
     * @throws IllegalStateException if there is one with another configuration
     */
    public MemoryWorkspace getAndActivateWorkspace(WorkspaceConfiguration configuration, String id) {
        return activate(getWorkspaceForCurrentThread(configuration, id));
    }

    /**
     * Enters the thread's default workspace, for try-with-resources.
     *
     * @return the workspace
     */
    public MemoryWorkspace getAndActivateWorkspace() {
        return getAndActivateWorkspace(DEFAULT_ID);
    }

    /** Between cycles a scoped workspace has nothing to lose: if its lease is gone, another one does as well. */
    private MemoryWorkspace activate(MemoryWorkspace workspace) {
        try {
            return workspace.notifyScopeEntered();
        } catch (LeaseLostException lost) {
            if (workspace.getWorkspaceType() == MemoryWorkspace.Type.CIRCULAR || workspace.isScopeActive()) {
                throw lost;
            }
            workspace.destroyWorkspace();
            return createNewWorkspace(workspace.getWorkspaceConfiguration(), workspace.getId()).notifyScopeEntered();
        }
    }

    // ---- looking ----

    /**
     * Returns the workspace of the thread's newest scope.
     *
     * @return the workspace; null: none is open, or the thread is scoped out
     */
    public MemoryWorkspace getCurrentWorkspace() {
        ThreadWorkspaces own = ThreadWorkspaces.find();
        return own == null ? null : own.currentWorkspace();
    }

    /**
     * Returns whether the thread has a workspace of that name.
     *
     * @param id its name
     * @return whether it has
     */
    public boolean checkIfWorkspaceExists(String id) {
        return existing(id) != null;
    }

    /**
     * Returns whether the thread has a workspace of that name with an open scope.
     *
     * @param id its name
     * @return whether it has
     */
    public boolean checkIfWorkspaceExistsAndActive(String id) {
        BrokerWorkspace existing = existing(id);
        return existing != null && existing.isScopeActive();
    }

    /**
     * Returns whether the thread is in a scope of any workspace.
     *
     * @return whether it is
     */
    public boolean anyWorkspaceActiveForCurrentThread() {
        ThreadWorkspaces own = ThreadWorkspaces.find();
        return own != null && own.isAnyActive();
    }

    /**
     * Returns the thread's workspaces in the order in which they were opened.
     *
     * @return a copy
     */
    public List<MemoryWorkspace> getAllWorkspacesForCurrentThread() {
        ThreadWorkspaces own = ThreadWorkspaces.find();
        return own == null ? List.of() : List.copyOf(own.of(broker.open()));
    }

    /**
     * Returns the names of the thread's workspaces in the order in which they were opened.
     *
     * @return a copy
     */
    public List<String> getAllWorkspacesIdsForCurrentThread() {
        return getAllWorkspacesForCurrentThread().stream().map(MemoryWorkspace::getId).toList();
    }

    private BrokerWorkspace existing(String id) {
        ThreadWorkspaces own = ThreadWorkspaces.find();
        return own == null ? null : own.find(broker.open(), Objects.requireNonNull(id, "id"));
    }

    /** Prints a table of the thread's workspaces to standard output. */
    public void printAllocationStatisticsForCurrentThread() {
        printAllocationStatisticsForCurrentThread(System.out);
    }

    /**
     * Prints a table of the thread's workspaces.
     *
     * @param out where to
     */
    public void printAllocationStatisticsForCurrentThread(PrintStream out) {
        out.printf("%-24s %14s %14s %14s %14s %10s%n", "workspace", "size", "largest cycle", "spilled", "pinned", "cycles");
        for (MemoryWorkspace workspace : getAllWorkspacesForCurrentThread()) {
            WorkspaceStatistics all = workspace.getStatistics();
            out.printf("%-24s %,14d %,14d %,14d %,14d %,10d%n", workspace.getId(), all.currentSize(), all.maxCycleBytes(),
                    all.totalSpilledBytes(), all.totalPinnedBytes(), all.cycles());
        }
    }

    // ---- ending ----

    /**
     * Begins a scope in which no workspace is current, for try-with-resources.
     *
     * @return the scope
     */
    public MemoryWorkspace scopeOutOfWorkspaces() {
        broker.open();
        return ThreadWorkspaces.get().scopeOut();
    }

    /**
     * Destroys a workspace.
     *
     * @param workspace the workspace
     */
    public void destroyWorkspace(MemoryWorkspace workspace) {
        workspace.destroyWorkspace();
    }

    /** Destroys the thread's workspaces, also those with open scopes. */
    public void destroyAllWorkspacesForCurrentThread() {
        getAllWorkspacesForCurrentThread().forEach(MemoryWorkspace::destroyWorkspace);
    }

    // ---- finding mistakes ----

    /**
     * Sets the debug mode of the process. It takes effect when a workspace is entered next.
     *
     * @param mode the mode
     */
    public void setDebugMode(DebugMode mode) {
        broker.open();
        NativeWorkspace.setDebugMode(mode.ordinal());
    }

    /**
     * Returns the debug mode of the process.
     *
     * @return the mode
     */
    public DebugMode getDebugMode() {
        broker.open();
        return DebugMode.values()[NativeWorkspace.debugMode()];
    }
}
