// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;

/**
 * What a workspace should be, with the names of ND4J. Instances do not change.
 *
 * @param initialSize the size of the arena at opening, in bytes; 0: it is learned
 * @param minSize the least that is learned, in bytes; 0: none
 * @param maxSize the most that the arena has, in bytes; 0: only the broker's limits
 * @param overallocationLimit what {@link AllocationPolicy#OVERALLOCATE} adds, as a fraction; circular: additional blocks
 * @param policyAllocation whether the arena is larger than its size
 * @param policyLearning how the size is learned; null: {@link LearningPolicy#FIRST_LOOP}, and
 *     {@link LearningPolicy#NONE} for {@link LocationPolicy#MMAP}
 * @param cyclesBeforeInitialization the cycles of {@link LearningPolicy#OVER_TIME}
 * @param policyReset when the arena is empty again
 * @param stepsNumber circular: the cycles in a turn
 * @param policySpill what happens to what does not fit
 * @param policyLocation where the memory is
 * @param tempFilePath MMAP: the name of a file that remains, in the directory that the broker's configuration allows;
 *     null: a file without a name
 * @param policyMirroring only stored
 * @param ttl how long the workspace's leases live without being renewed; zero: the broker's default
 * @param hugePages whether the arena has huge pages
 * @param numaNode the node of its pages; -1: any
 * @param prefault whether the broker allocates every page of the arena before it grants it
 */
public record WorkspaceConfiguration(long initialSize, long minSize, long maxSize, double overallocationLimit,
        AllocationPolicy policyAllocation, LearningPolicy policyLearning, int cyclesBeforeInitialization,
        ResetPolicy policyReset, int stepsNumber, SpillPolicy policySpill, LocationPolicy policyLocation,
        String tempFilePath, MirroringPolicy policyMirroring, Duration ttl, HugePages hugePages, int numaNode,
        boolean prefault) {

    private static final int LEARNING_DEFAULT = 0;
    private static final double OVERALLOCATION_MAX = 1_000_000;

    /** The values one by one, and those that go together. */
    WorkspaceConfiguration checked() {
        Values.notNegative("initialSize", initialSize);
        Values.notNegative("minSize", minSize);
        Values.notNegative("maxSize", maxSize);
        Values.notNegative("cyclesBeforeInitialization", cyclesBeforeInitialization);
        Values.timeToLive(ttl);
        Values.numaNode(numaNode);
        Values.file("tempFilePath", tempFilePath);
        Objects.requireNonNull(policyAllocation, "policyAllocation");
        Objects.requireNonNull(policyReset, "policyReset");
        Objects.requireNonNull(policySpill, "policySpill");
        Objects.requireNonNull(policyLocation, "policyLocation");
        Objects.requireNonNull(policyMirroring, "policyMirroring");
        Objects.requireNonNull(hugePages, "hugePages");
        require(overallocationLimit >= 0 && overallocationLimit <= OVERALLOCATION_MAX,
                "overallocationLimit must be a share from 0 to 1000000, such as 0.3 for 30 % more, not " + overallocationLimit);
        require(stepsNumber >= 1, "stepsNumber must be at least 1, not " + stepsNumber);
        require(stepsNumber == 2 || policyReset == ResetPolicy.ENDOFBUFFER_REACHED,
                "stepsNumber goes with policyReset ENDOFBUFFER_REACHED only; leave it 2");
        require(policySpill != SpillPolicy.FAIL || initialSize > 0 || tempFilePath != null,
                "policySpill FAIL needs an initialSize: while a size is being learned, everything is spilled");
        require(cyclesBeforeInitialization == 0 || policyLearning == LearningPolicy.OVER_TIME,
                "cyclesBeforeInitialization goes with policyLearning OVER_TIME only");
        if (policyLocation == LocationPolicy.MMAP) {
            require(minSize == 0 && maxSize == 0, "minSize and maxSize bound a learned size, and the size of a mapped workspace"
                    + " is not learned; leave them 0");
            require(initialSize > 0 || tempFilePath != null,
                    "policyLocation MMAP needs an initialSize or a tempFilePath: the size of a mapped workspace can't be learned");
        } else {
            require(tempFilePath == null, "tempFilePath goes with policyLocation MMAP only");
        }
        return this;
    }

    private static void require(boolean isRight, String otherwise) {
        if (!isRight) {
            throw new IllegalArgumentException(otherwise);
        }
    }

    /**
     * Begins with the defaults of ND4J.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** As equals, which would keep the class's loader for ever (ThreadWorkspaces.Key). */
    boolean isSame(WorkspaceConfiguration other) {
        return this == other || Arrays.equals(sizes(), other.sizes()) && Arrays.equals(settings(), other.settings())
                && overallocationLimit == other.overallocationLimit && Objects.equals(tempFilePath, other.tempFilePath);
    }

    boolean isCircular() {
        return policyReset == ResetPolicy.ENDOFBUFFER_REACHED;
    }

    long[] sizes() {
        return new long[] {initialSize, minSize, maxSize};
    }

    int[] settings() {
        return new int[] {policyAllocation.code, policyLearning == null ? LEARNING_DEFAULT : policyLearning.code,
            cyclesBeforeInitialization, policyReset.code, stepsNumber, policySpill.code, policyLocation.location.code,
            policyMirroring.code, Milliseconds.of(ttl), hugePages.ordinal(), numaNode, prefault ? 1 : 0};
    }

    /** Builds {@link WorkspaceConfiguration}. */
    public static final class Builder {
        private long initialSize;
        private long minSize;
        private long maxSize;
        private double overallocationLimit = 0.3;
        private AllocationPolicy policyAllocation = AllocationPolicy.OVERALLOCATE;
        private LearningPolicy policyLearning;
        private int cyclesBeforeInitialization;
        private ResetPolicy policyReset = ResetPolicy.BLOCK_LEFT;
        private int stepsNumber = 2;
        private SpillPolicy policySpill = SpillPolicy.EXTERNAL;
        private LocationPolicy policyLocation = LocationPolicy.RAM;
        private String tempFilePath;
        private MirroringPolicy policyMirroring = MirroringPolicy.FULL;
        private Duration ttl = Duration.ZERO;
        private HugePages hugePages = HugePages.NEVER;
        private int numaNode = -1;
        private boolean prefault;

        private Builder() {
        }

        /**
         * Sets the size of the arena at opening.
         *
         * @param bytes the size; 0: it is learned
         * @return this
         */
        public Builder initialSize(long bytes) {
            initialSize = bytes;
            return this;
        }

        /**
         * Sets the least that is learned.
         *
         * @param bytes the size; 0: none
         * @return this
         */
        public Builder minSize(long bytes) {
            minSize = bytes;
            return this;
        }

        /**
         * Sets the most that the arena has.
         *
         * @param bytes the size; 0: only the broker's limits
         * @return this
         */
        public Builder maxSize(long bytes) {
            maxSize = bytes;
            return this;
        }

        /**
         * Sets what {@link AllocationPolicy#OVERALLOCATE} adds.
         *
         * @param fraction 0.3 is 30 %; circular: the number of additional blocks
         * @return this
         */
        public Builder overallocationLimit(double fraction) {
            overallocationLimit = fraction;
            return this;
        }

        /**
         * Sets whether the arena is larger than its size.
         *
         * @param policy the policy
         * @return this
         */
        public Builder policyAllocation(AllocationPolicy policy) {
            policyAllocation = policy;
            return this;
        }

        /**
         * Sets how the size is learned.
         *
         * @param policy the policy; null: the default
         * @return this
         */
        public Builder policyLearning(LearningPolicy policy) {
            policyLearning = policy;
            return this;
        }

        /**
         * Sets the cycles of {@link LearningPolicy#OVER_TIME}.
         *
         * @param cycles the number; 0: until {@link MemoryWorkspace#initializeWorkspace}
         * @return this
         */
        public Builder cyclesBeforeInitialization(int cycles) {
            cyclesBeforeInitialization = cycles;
            return this;
        }

        /**
         * Sets when the arena is empty again.
         *
         * @param policy the policy
         * @return this
         */
        public Builder policyReset(ResetPolicy policy) {
            policyReset = policy;
            return this;
        }

        /**
         * Sets the cycles in a turn of a circular workspace.
         *
         * @param steps the number
         * @return this
         */
        public Builder stepsNumber(int steps) {
            stepsNumber = steps;
            return this;
        }

        /**
         * Sets what happens to what does not fit.
         *
         * @param policy the policy
         * @return this
         */
        public Builder policySpill(SpillPolicy policy) {
            policySpill = policy;
            return this;
        }

        /**
         * Sets where the memory is.
         *
         * @param policy the policy
         * @return this
         */
        public Builder policyLocation(LocationPolicy policy) {
            policyLocation = policy;
            return this;
        }

        /**
         * Names a file that remains.
         *
         * @param name its name in the directory that the broker's configuration allows; null: a file without a name
         * @return this
         */
        public Builder tempFilePath(String name) {
            tempFilePath = name;
            return this;
        }

        /**
         * Sets where copies are. Only stored.
         *
         * @param policy the policy
         * @return this
         */
        public Builder policyMirroring(MirroringPolicy policy) {
            policyMirroring = policy;
            return this;
        }

        /**
         * Sets how long the workspace's leases live without being renewed.
         *
         * @param time the time; zero: the broker's default
         * @return this
         */
        public Builder ttl(Duration time) {
            ttl = time;
            return this;
        }

        /**
         * Sets whether the arena has huge pages.
         *
         * @param wanted the wish
         * @return this
         */
        public Builder hugePages(HugePages wanted) {
            hugePages = wanted;
            return this;
        }

        /**
         * Binds the arena to a node.
         *
         * @param node the number of the node; -1: any
         * @return this
         */
        public Builder numaNode(int node) {
            numaNode = node;
            return this;
        }

        /**
         * Has the broker allocate every page of the arena before it grants it.
         *
         * @param wanted whether it should
         * @return this
         */
        public Builder prefault(boolean wanted) {
            prefault = wanted;
            return this;
        }

        /**
         * Makes the configuration.
         *
         * @return the configuration
         * @throws IllegalArgumentException if a value is wrong, or two of them together; the message names them
         */
        public WorkspaceConfiguration build() {
            return new WorkspaceConfiguration(initialSize, minSize, maxSize, overallocationLimit, policyAllocation,
                    policyLearning, cyclesBeforeInitialization, policyReset, stepsNumber, policySpill, policyLocation,
                    tempFilePath, policyMirroring, ttl, hugePages, numaNode, prefault).checked();
        }
    }
}
