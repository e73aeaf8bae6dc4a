// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.ByteBuffer;

/** Copies of memory in other memory. Java copies: the JVM survives a fault there, which native code would not. */
final class Copies {
    /** What a window has, and all types of elements fill. */
    static final int PIECE = 1 << 30;

    private Copies() {
    }

    static MemoryRegion detach(MemoryRegion from) {
        from.require();
        return from.isAttached()
                ? copy(from, TrackedBuffer.create(from.session, from.byteSize, BufferOptions.UNINITIALIZED))
                : from;
    }

    static MemoryRegion leverage(MemoryRegion from) {
        ThreadWorkspaces own = ThreadWorkspaces.find();
        BrokerWorkspace parent = own == null ? null : own.parentOfCurrent();
        return parent == null ? detach(from) : leverageTo(from, parent);
    }

    static MemoryRegion leverageTo(MemoryRegion from, String id) {
        BrokerWorkspace to = find(from, id);
        if (from.isAttached() && (to == null || !to.isScopeActive())) {
            throw new IllegalStateException(
                    "workspace \"" + id + "\" " + (to == null ? "does not exist in this thread" : "is not open"));
        }
        return leverageTo(from, to);
    }

    static MemoryRegion leverageOrDetach(MemoryRegion from, String id) {
        BrokerWorkspace to = find(from, id);
        return to != null && to.isScopeActive() ? leverageTo(from, to) : detach(from);
    }

    static MemoryRegion migrate(MemoryRegion from) {
        from.require();
        ThreadWorkspaces own = ThreadWorkspaces.find();
        BrokerWorkspace current = own == null ? null : own.currentWorkspace();
        return current == null || current == from.workspace() ? from : copy(from, current.alloc(from.byteSize, false));
    }

    private static BrokerWorkspace find(MemoryRegion from, String id) {
        ThreadWorkspaces own = ThreadWorkspaces.find();
        return own == null ? null : own.find(from.session, id);
    }

    private static MemoryRegion leverageTo(MemoryRegion from, BrokerWorkspace to) {
        from.require();
        return !from.isAttached() || from.workspace() == to ? from : copy(from, to.alloc(from.byteSize, false));
    }

    private static MemoryRegion copy(MemoryRegion from, MemoryRegion to) {
        from.use();
        to.access(() -> from.access(() -> copyPieces(from, to)));
        return to;
    }

    private static void copyPieces(MemoryRegion from, MemoryRegion to) {
        for (long done = 0; done < from.byteSize; done += PIECE) {
            int bytes = (int) Math.min(PIECE, from.byteSize - done);
            ByteBuffer source = Windows.slice(from.address + done, bytes);
            Windows.slice(to.address + done, bytes).put(0, source, 0, bytes);
        }
    }
}
