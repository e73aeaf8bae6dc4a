/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.Lease;
import io.membroker.LeaseLostException;
import io.membroker.MemoryRegion;

/** A mapped lease, by its address. */
final class WorkspaceLease {
    private final Lease lease;
    private final long address;
    private final long bytes;

    WorkspaceLease(Lease lease) {
        MemoryRegion memory = lease.memory();
        this.lease = lease;
        this.address = memory.address();
        this.bytes = memory.byteSize();
    }

    long address() {
        return address;
    }

    /** In whole pages. */
    long bytes() {
        return bytes;
    }

    /** For listings: the lease's name and how much of it is in use. */
    void reportUse(long used) {
        lease.reportUse(used);
    }

    /** Why the lease has ended; null: it has not. */
    LeaseLostException loss() {
        if (lease.isAlive()) {
            return null;
        }
        try {
            lease.check();
            return null;
        } catch (LeaseLostException lost) {
            return lost;
        }
    }

    void close() {
        lease.close();
    }
}
