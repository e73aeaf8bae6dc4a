/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import org.nd4j.linalg.cpu.nativecpu.CpuBackend;

/**
 * ND4J's CPU backend with leased memory. ND4J finds it as a service and prefers it to its own CPU backend, so that the
 * jar on the class path is all that a program needs. A manager that the program names in a system property stays. Leased
 * workspaces need the leased memory manager: a program that names another one has ND4J's workspaces.
 */
public class LeasedCpuBackend extends CpuBackend {
    private static final String MEMORY_MANAGER = "memorymanager";
    private static final String WORKSPACE_MANAGER = "workspacemanager";

    /** ND4J reads the managers' names after it has asked this, and system properties win over its own file. */
    @Override
    public boolean isAvailable() {
        setIfAbsent(MEMORY_MANAGER, LeasedMemoryManager.class.getName());
        if (LeasedMemoryManager.class.getName().equals(System.getProperty(MEMORY_MANAGER))) {
            setIfAbsent(WORKSPACE_MANAGER, LeasedWorkspaceManager.class.getName());
        }
        return super.isAvailable();
    }

    @Override
    public int getPriority() {
        return super.getPriority() + 1;
    }

    private static void setIfAbsent(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }
}
