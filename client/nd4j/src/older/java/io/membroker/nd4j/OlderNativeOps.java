/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import org.nd4j.nativeblas.Nd4jCpu;

/** The native operations of ND4J 1.0.0-beta6. They tell of lost arrays. */
public class OlderNativeOps extends Nd4jCpu {
    /** ND4J asks after each operation. */
    @Override
    public int lastErrorCode() {
        ArrayLosses.tell();
        return super.lastErrorCode();
    }
}
