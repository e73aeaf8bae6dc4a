/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.factory.Nd4j;

/** What one kind of use says. Argument: array; workspace; or ids, which are workspaces with odd names. */
public final class Start {
    private Start() {
    }

    public static void main(String[] arguments) throws IOException {
        Runnable use = use(arguments[0]);
        attempt(use);
        System.out.println("waiting");
        System.in.read();
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
                return () -> cycle("START");
            default:
                return () -> {
                    cycle("line\n bell\u0007");
                    cycle("zero\0");
                };
        }
    }

    private static void cycle(String id) {
        WorkspaceConfiguration configuration = WorkspaceConfiguration.builder().initialSize(1000).build();
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
