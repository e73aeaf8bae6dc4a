/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Has the arrays outside workspaces leased in versions of ND4J that allocate them in JavaCPP, such as 1.0.0-beta6. Two settings
 * of these versions name the classes that do it; the classes can be loaded there alone.
 */
final class OlderArrays {
    /** The class that our factory of buffers extends. */
    private static final String OWN_FACTORY = "org.nd4j.linalg.api.buffer.factory.DefaultDataBufferFactory";

    private OlderArrays() {
    }

    private static boolean isOlder() {
        try {
            Class.forName(OWN_FACTORY, false, OlderArrays.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException newer) {
            return false;
        }
    }

    /** The system properties, which ND4J reads after it has found its backend; none on newer versions. */
    static Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        if (isOlder()) {
            settings.put("databufferfactory", "io.membroker.nd4j.LeasedBufferFactory");
            settings.put("native.ops", "io.membroker.nd4j.OlderNativeOps");
        }
        return settings;
    }

    /** The options of the command line that the program lacks, in a row; empty if none. */
    static String lacking() {
        return settings().entrySet().stream().filter(setting -> System.getProperty(setting.getKey()) == null)
                .map(setting -> "-D" + setting.getKey() + "=" + setting.getValue()).collect(Collectors.joining(" "));
    }
}
