/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import org.nd4j.linalg.cpu.nativecpu.CpuBackend;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * ND4J's CPU backend with leased memory. ND4J finds it as a service and prefers it to its own CPU backend, so that the
 * jar on the class path is all that a program needs. A manager that the program names in a system property stays. Leased
 * workspaces need the leased memory manager: a program that names another one has ND4J's workspaces.
 */
public class LeasedCpuBackend extends CpuBackend {
    private static final Logger LOG = LoggerFactory.getLogger(LeasedCpuBackend.class);
    private static final String MEMORY_MANAGER = "memorymanager";
    private static final String WORKSPACE_MANAGER = "workspacemanager";

    /** ND4J reads the managers' names after it has asked this, and system properties win over its own file. */
    @Override
    public boolean isAvailable() {
        setIfAbsent(MEMORY_MANAGER, LeasedMemoryManager.class.getName());
        String manager = System.getProperty(MEMORY_MANAGER);
        if (manager.equals(LeasedMemoryManager.class.getName())) {
            setIfAbsent(WORKSPACE_MANAGER, LeasedWorkspaceManager.class.getName());
            OlderArrays.settings().forEach(LeasedCpuBackend::setIfAbsent);
        } else {
            LOG.warn("ND4J's memory is not leased, because -D{} names {}", MEMORY_MANAGER, manager);
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
