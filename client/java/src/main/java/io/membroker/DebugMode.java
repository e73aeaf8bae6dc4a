// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** How the workspaces of this process behave, to find mistakes. */
public enum DebugMode {
    /** As they should. */
    DISABLED,
    /** Every allocation is outside the arena. */
    SPILL_EVERYTHING,
    /** Workspaces do nothing: allocations live until the workspace is destroyed, also after the end of their cycle. */
    BYPASS_EVERYTHING
}
