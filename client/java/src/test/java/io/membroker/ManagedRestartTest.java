// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import io.membroker.InterruptTest.Waiter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What blocks and watches notice if the broker is killed, and a service manager keeps its descriptors. */
class ManagedRestartTest {
    /** Kills the broker for each line of its input. */
    private static final String MANAGER = """
            import sys, broker
            broker.CONFIGURATION += "[sharing]\\nmax_watches = 1\\n"
            with broker.ManagedBroker(sys.argv[1]) as managed:
                print(managed.socket, flush=True)
                for line in sys.stdin:
                    managed.kill()
                    print("killed", flush=True)
            print("nothing is left", flush=True)
            """;
    private static final BlockOptions KEPT = BlockOptions.builder().lifetime(BlockLifetime.KEEP).build();

    private Process manager;
    private BufferedReader said;
    private MemoryBroker broker;

    @BeforeEach
    void start() throws IOException {
        Path build = Path.of(System.getProperty("membroker.build", "build")).toAbsolutePath();
        ProcessBuilder builder = new ProcessBuilder("/usr/bin/python3", "-c", MANAGER, build.toString());
        builder.environment().put("PYTHONPATH", Path.of("tests/nd4j").toAbsolutePath().toString());
        builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
        manager = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
        said = new BufferedReader(new InputStreamReader(manager.getInputStream(), StandardCharsets.UTF_8));
        broker = MemoryBroker.connect(ConnectOptions.builder().socket(said.readLine()).shared(false)
                .timeout(Duration.ofSeconds(60)).build());
    }

    @AfterEach
    void stop() throws IOException {
        broker.close();
        manager.getOutputStream().close();
        assertEquals("nothing is left", said.readLine());
    }

    private void killTheBroker() throws IOException {
        manager.getOutputStream().write('\n');
        manager.getOutputStream().flush();
        assertEquals("killed", said.readLine());
    }

    @Test
    void aWatchAndAViewContinue() throws Exception {
        BlockWatch watch = broker.watch("");
        broker.publish("kept", BlockContent.of(new int[] {7}), KEPT).close();
        try (BlockView view = broker.attach("kept")) {
            BlockChange published = watch.take();
            BlockWatchTest.assertPublished("kept", published);
            Waiter waiter = BlockWatchTest.waiter(broker, watch);
            killTheBroker();
            assertEquals(7, view.content().ints().get(0));
            view.check();
            TestBroker.await(() -> BlockWatchTest.isWaiting(broker)); // or the reason might not be known
            broker.unpublish("kept");
            BlockChange end = assertInstanceOf(BlockChange.class, waiter.result());
            BlockWatchTest.assertEnded("kept", EndReason.UNPUBLISHED, end);
            assertEquals(published.number(), end.number());
            view.check();
        }
    }

    @Test
    void aWatchIsToldWhatHappenedMeanwhile() throws Exception {
        BlockWatch watch = broker.watch("");
        broker.publish("ends", BlockContent.of(new int[] {1}), KEPT).close();
        broker.publish("stays", BlockContent.of(new int[] {2}), KEPT).close();
        BlockWatchTest.assertPublished("ends", watch.take());
        BlockWatchTest.assertPublished("stays", watch.take());
        broker.unpublish("ends");
        killTheBroker();
        broker.publish("new", BlockContent.of(new int[] {3}), KEPT).close();
        BlockWatchTest.assertPublished("new", watch.take());
        BlockWatchTest.assertEnded("ends", EndReason.NONE, watch.take());
        broker.unpublish("stays");
        BlockWatchTest.assertEnded("stays", EndReason.UNPUBLISHED, watch.take());
        broker.unpublish("new");
        BlockWatchTest.assertEnded("new", EndReason.UNPUBLISHED, watch.take());
    }
}
