/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import java.lang.ref.Reference;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A thread that waits for memory, and is interrupted when this gets a line. Arguments: array or workspace, and the bytes,
 * which fit once but not twice.
 */
public final class Interrupted {
    private Interrupted() {
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        long bytes = Long.parseLong(arguments[1]);
        Thread waiter = new Thread(() -> waitFor(arguments[0].equals("array") ? Interrupted::array : Interrupted::workspace, bytes));
        waiter.start();
        System.in.read();
        waiter.interrupt();
        waiter.join();
    }

    /** What takes memory. */
    private interface Request {
        Object take(String name, long bytes);
    }

    private static void waitFor(Request request, long bytes) {
        Object first = request.take("FIRST", bytes); // an array that the collector may not take
        try {
            request.take("SECOND", bytes);
        } catch (RuntimeException ended) {
            Throwable cause = ended;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            System.out.println(cause + "; still interrupted: " + Thread.currentThread().isInterrupted());
            Reference.reachabilityFence(first);
        }
    }

    private static Object array(String name, long bytes) {
        return Nd4j.createUninitialized(DataType.FLOAT, bytes / Float.BYTES);
    }

    private static Object workspace(String name, long bytes) {
        WorkspaceConfiguration configuration = WorkspaceConfiguration.builder().initialSize(bytes).build();
        try (MemoryWorkspace workspace = Nd4j.getWorkspaceManager().getAndActivateWorkspace(configuration, name)) {
            return workspace.getId();
        }
    }
}
