/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

/**
 * Has the arrays outside workspaces leased in versions of ND4J that allocate them in JavaCPP, such as 1.0.0-beta6. Two settings
 * of these versions name the classes that do it; the classes can be loaded there alone.
 */
final class OlderArrays {
    private static final String FACTORY = "databufferfactory";
    private static final String LEASED_FACTORY = "io.membroker.nd4j.LeasedBufferFactory";
    private static final String NATIVE_OPS = "native.ops";
    private static final String TELLING_OPS = "io.membroker.nd4j.OlderNativeOps";

    /** The class that {@value #LEASED_FACTORY} extends. */
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

    /** Comes before ND4J reads its settings. What the program names stays. */
    static void set() {
        if (isOlder()) {
            setIfAbsent(FACTORY, LEASED_FACTORY);
            setIfAbsent(NATIVE_OPS, TELLING_OPS);
        }
    }

    /** The options that the program lacks; empty if none. */
    static String lacking() {
        return isOlder() ? lacking(FACTORY, LEASED_FACTORY) + lacking(NATIVE_OPS, TELLING_OPS) : "";
    }

    private static String lacking(String property, String value) {
        return System.getProperty(property) == null ? " -D" + property + "=" + value : "";
    }

    static void setIfAbsent(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }
}
