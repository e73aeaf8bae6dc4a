// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * Counters of a workspace. Sizes are in bytes.
 *
 * @param currentSize of the arena
 * @param offset where the next allocation begins
 * @param initialBlockSize what was learned, before overallocation; circular: the block of a cycle
 * @param thisCycleBytes what the open cycle allocated
 * @param lastCycleBytes what the last one did
 * @param maxCycleBytes what the largest one did
 * @param spilledBytes held outside the arena now
 * @param spilledCount how many allocations that is
 * @param pinnedBytes held by a circular workspace outside its arena now
 * @param pinnedCount how many allocations that is
 * @param totalSpilledBytes spilled since the workspace was opened
 * @param totalSpilledCount how many allocations that was
 * @param totalPinnedBytes pinned since then
 * @param totalPinnedCount how many allocations that was
 * @param cycles that ended
 * @param steps turns of a circular workspace
 * @param generation the number of the newest cycle
 * @param sizings how often the arena was leased
 * @param sizingsRefused how often the broker refused to
 * @param location where the arena is
 */
public record WorkspaceStatistics(long currentSize, long offset, long initialBlockSize, long thisCycleBytes,
        long lastCycleBytes, long maxCycleBytes, long spilledBytes, long spilledCount, long pinnedBytes, long pinnedCount,
        long totalSpilledBytes, long totalSpilledCount, long totalPinnedBytes, long totalPinnedCount, long cycles,
        long steps, long generation, long sizings, long sizingsRefused, Location location) {

    static final int NUMBERS = 21;

    static WorkspaceStatistics of(long[] n) {
        return new WorkspaceStatistics(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12],
                n[13], n[14], n[15], n[16], n[17], n[18], Location.of(n[19]));
    }
}
