// SPDX-License-Identifier: Apache-2.0
package io.membroker.array;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.membroker.TestBroker;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class SampleTest {
    @Test
    void leasesAMappedFileWithTheArrayInIt() throws Exception {
        try (TestBroker daemon = new TestBroker()) {
            ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-cp", System.getProperty("java.class.path"), Sample.class.getName());
            builder.environment().put("MEMBROKER_SOCKET", daemon.socket());
            Process sample = builder.redirectError(ProcessBuilder.Redirect.DISCARD).start();
            try (BufferedReader output =
                    new BufferedReader(new InputStreamReader(sample.getInputStream(), StandardCharsets.UTF_8))) {
                assertEquals("ready", output.readLine());
                String leases = daemon.ctl("leases", "--json");
                for (int i = 0; i < 500 && value(leases, "used_bytes").equals("0"); i++) {
                    Thread.sleep(10); // it is reported within 50 ms
                    leases = daemon.ctl("leases", "--json");
                }
                assertEquals("M2", value(leases, "name"), leases);
                assertEquals("mmap", value(leases, "location"), leases);
                assertEquals((1_000_000_000 + 4095) / 4096 * 4096, Long.parseLong(value(leases, "bytes")), leases);
                assertEquals(10_000 * Float.BYTES, Long.parseLong(value(leases, "used_bytes")), leases);
                sample.getOutputStream().close();
                assertEquals(0, sample.waitFor());
            } finally {
                sample.destroyForcibly();
            }
        }
    }

    private static String value(String json, String key) {
        Matcher found = Pattern.compile("\"" + key + "\": *\"?([^\",}\\n]*)").matcher(json);
        return found.find() ? found.group(1) : "";
    }
}
