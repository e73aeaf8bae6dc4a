/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.LeaseLostException;
import io.membroker.TrackedBuffer;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Tells the program once that arrays outside workspaces have lost their lease. Their memory has zeros then, and ND4J reads it
 * without a call to the plug-in. So the next call to the plug-in throws. Any thread may use it.
 */
final class ArrayLosses {
    private static final String DL4J_HELPERS = "org.deeplearning4j.nn.layers.mkldnn.";
    private static final Set<Watch> WATCHED = ConcurrentHashMap.newKeySet();
    private static final ReferenceQueue<TrackedBuffer> COLLECTED = new ReferenceQueue<>();

    /** False: nothing can be lost, and there may be no broker to ask. */
    private static volatile boolean isWatching;

    /** The broker's number of losses at the last look. */
    private static volatile int seen;
    private static volatile LeaseLostException untold;

    private ArrayLosses() {
    }

    /** The memory of an array. */
    static final class Watch extends WeakReference<TrackedBuffer> {
        private Watch(TrackedBuffer memory) {
            super(memory, COLLECTED);
        }

        /** Call it before the memory is freed: what was read from it may have been zeros. Throws nothing. */
        void end() {
            synchronized (ArrayLosses.class) { // or another thread's look could tell of the same loss meanwhile
                if (WATCHED.remove(this) && isLost()) {
                    look();
                }
            }
        }

        /** Returns whether the memory is lost, and notes why. */
        private boolean isLost() {
            TrackedBuffer memory = get();
            LeaseLostException loss = memory == null ? null : memory.loss();
            if (loss != null) {
                untold = loss;
            }
            return loss != null;
        }
    }

    static Watch watch(TrackedBuffer memory) {
        for (Object collected = COLLECTED.poll(); collected != null; collected = COLLECTED.poll()) {
            WATCHED.remove(collected);
        }
        Watch watch = new Watch(memory);
        WATCHED.add(watch);
        isWatching = true;
        return watch;
    }

    /**
     * DL4J catches any exception of its own fast versions of layers, and computes the layer in another way. So the next call
     * after that tells.
     */
    private static boolean isCaughtByDl4j() {
        return StackWalker.getInstance().walk(
                frames -> frames.anyMatch(frame -> frame.getClassName().startsWith(DL4J_HELPERS)));
    }

    /**
     * Throws if the program has not been told of a loss yet. ND4J keeps arguments of operations in arrays like others, and
     * would pass zeros for ever; what it has no longer it makes again.
     */
    static void tell() {
        if (exist() && !isCaughtByDl4j()) {
            LeaseLostException loss = take();
            if (loss != null) {
                Nd4j.getConstantHandler().purgeConstants();
                throw loss;
            }
        }
    }

    /** Returns whether there is something to tell. Costs a few loads if nothing was lost. */
    static boolean exist() {
        if (isWatching && Broker.losses() != seen) {
            look();
        }
        return untold != null;
    }

    private static synchronized LeaseLostException take() {
        LeaseLostException loss = untold;
        untold = null;
        return loss;
    }

    /** Each loss is told once, so what is lost is not watched any more. */
    private static synchronized void look() {
        int now = Broker.losses();
        WATCHED.removeIf(Watch::isLost);
        seen = now;
    }
}
