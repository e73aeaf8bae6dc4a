/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.LearningPolicy;
import org.nd4j.linalg.api.memory.enums.LocationPolicy;

/**
 * What a mapped workspace gives to ND4J's own code in place of the program's configuration. ND4J would create a
 * temporary file for {@code MMAP}, and newer versions would refuse a learning policy, which {@code builder()} sets. With
 * {@code RAM} and {@code NONE} it does neither, and never changes the size, as for a file.
 */
final class MappedConfiguration extends WorkspaceConfiguration {
    private static final long serialVersionUID = 1L;

    final transient WorkspaceConfiguration original;

    private MappedConfiguration(WorkspaceConfiguration original) {
        this.original = original;
        setPolicyLearning(LearningPolicy.NONE);
        setPolicyLocation(LocationPolicy.RAM);
        setPolicyAllocation(original.getPolicyAllocation());
        setPolicySpill(original.getPolicySpill());
        setPolicyReset(original.getPolicyReset());
        setPolicyMirroring(original.getPolicyMirroring());
        setInitialSize(original.getInitialSize());
        setMinSize(original.getMinSize());
        setOverallocationLimit(original.getOverallocationLimit());
        setStepsNumber(original.getStepsNumber());
    }

    /** The configuration itself, unless its location is MMAP. */
    static WorkspaceConfiguration of(WorkspaceConfiguration configuration) {
        return configuration.getPolicyLocation() == LocationPolicy.MMAP ? new MappedConfiguration(configuration)
                                                                        : configuration;
    }
}
