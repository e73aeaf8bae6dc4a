/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import org.nd4j.nativeblas.NativeOps;
import org.nd4j.nativeblas.NativeOpsHolder;

/**
 * Has the arrays outside workspaces leased. Newer versions of ND4J allocate them with a method of the object that
 * {@link NativeOpsHolder} has. For older ones see {@link OlderArrays}.
 */
final class NativeOpsHook {
    private static final String NATIVE_OPS = "org.nd4j.linalg.cpu.nativecpu.bindings.Nd4jCpu";

    private NativeOpsHook() {
    }

    static void install() {
        NativeOps present = NativeOpsHolder.getInstance().getDeviceNativeOps();
        if (present.getClass().getName().equals(NATIVE_OPS)) {
            Newer.install();
        }
    }

    /** Loaded only if ND4J has the classes that it names. */
    private static final class Newer {
        static void install() {
            NativeOpsHolder.getInstance().setDeviceNativeOps(new LeasedNativeOps());
        }
    }
}
