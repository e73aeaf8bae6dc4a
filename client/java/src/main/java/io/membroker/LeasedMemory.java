// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** An extent of a lease. */
final class LeasedMemory extends MemoryRegion {
    private final Lease lease;

    LeasedMemory(Lease lease, Session session, Life life, long address, long bytes) {
        super(session, life, 0, address, bytes);
        this.lease = lease;
    }

    @Override
    RuntimeException ended() {
        return lease.closed();
    }

    @Override
    CycleSegments segments() {
        return lease.segments();
    }

    @Override
    void verify() {
        lease.check();
    }
}
