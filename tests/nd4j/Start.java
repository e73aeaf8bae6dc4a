/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.factory.Nd4j;

/**
 * What one kind of use says, twice before a line is read, and twice after it. Argument: array; workspace; learning, which
 * is a workspace that has no arena before the end of its first cycle; or ids, which are workspaces with odd names.
 */
public final class Start {
    private Start() {
    }

    public static void main(String[] arguments) throws IOException {
        Runnable use = use(arguments[0]);
        attempt(() -> System.out.println("workspaces by " + Nd4j.getWorkspaceManager().getClass().getSimpleName()));
        attempt(use);
        attempt(use);
        System.out.println("waiting");
        System.in.read();
        attempt(use);
        attempt(use);
        System.out.println("done");
    }

    private static void attempt(Runnable use) {
        try {
            use.run();
            System.out.println("fine");
        } catch (RuntimeException | Error failed) {
            for (Throwable cause = failed; cause != null; cause = cause.getCause()) {
                System.out.println((cause == failed ? "thrown: " : "cause: ") + cause);
            }
        }
    }

    private static Runnable use(String what) {
        switch (what) {
            case "array":
                return () -> require(Nd4j.ones(100).sumNumber().intValue() == 100);
            case "workspace":
                return () -> cycle(1_000_000, "START");
            case "learning":
                return () -> cycle(0, "START");
            default:
                return () -> {
                    cycle(1000, "line\n bell\u0007");
                    cycle(1000, "zero\0");
                };
        }
    }

    private static void cycle(long bytes, String id) {
        WorkspaceConfiguration configuration = WorkspaceConfiguration.builder().initialSize(bytes).build();
        try (MemoryWorkspace workspace = Nd4j.getWorkspaceManager().getAndActivateWorkspace(configuration, id)) {
            require(Nd4j.ones(100).addi(1).sumNumber().intValue() == 200);
        }
    }

    private static void require(boolean isRight) {
        if (!isRight) {
            throw new IllegalStateException("wrong");
        }
    }
}
