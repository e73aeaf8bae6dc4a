// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** A scope without a workspace. */
final class ScopeOut implements MemoryWorkspace {
    private static final WorkspaceConfiguration CONFIGURATION = WorkspaceConfiguration.builder().build();
    private static final WorkspaceStatistics NOTHING = WorkspaceStatistics.of(new long[WorkspaceStatistics.NUMBERS]);
    private final ThreadWorkspaces home;
    private boolean isOpen = true;

    ScopeOut(ThreadWorkspaces home) {
        this.home = home;
    }

    @Override
    public String getId() {
        return "no workspace";
    }

    @Override
    public WorkspaceConfiguration getWorkspaceConfiguration() {
        return CONFIGURATION;
    }

    @Override
    public Type getWorkspaceType() {
        return Type.DUMMY;
    }

    @Override
    public long getGenerationId() {
        return 0;
    }

    @Override
    public WorkspaceStatistics getStatistics() {
        return NOTHING;
    }

    @Override
    public MemoryRegion alloc(long bytes, boolean initialize) {
        throw new UnsupportedOperationException("there is no workspace in this scope; create a buffer");
    }

    @Override
    public MemoryWorkspace notifyScopeEntered() {
        throw new UnsupportedOperationException("there is no workspace in this scope; scope out once more");
    }

    @Override
    public MemoryWorkspace notifyScopeBorrowed() {
        throw new UnsupportedOperationException("there is no workspace in this scope");
    }

    @Override
    public MemoryWorkspace notifyScopeLeft() {
        if (isOpen) {
            home.scopeIn(this);
            isOpen = false;
        }
        return this;
    }

    @Override
    public void close() {
        notifyScopeLeft();
    }

    @Override
    public boolean isScopeActive() {
        return isOpen;
    }

    @Override
    public void check() {
        // nothing can be lost
    }

    @Override
    public void initializeWorkspace() {
        // nothing can be learned
    }

    @Override
    public void toggleWorkspaceUse(boolean use) {
        // there is no arena
    }

    @Override
    public void destroyWorkspace() {
        notifyScopeLeft();
    }
}
