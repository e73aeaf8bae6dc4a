// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.Properties;

/**
 * The limits of the command line, under the names that JavaCPP gives them: {@code org.bytedeco.javacpp.maxBytes} and so on,
 * also in small letters. A name in camel case takes precedence over one in small letters.
 */
record JavacppLimits(long heapBytes, Long maxBytes, Long maxPhysicalBytes, int maxRetries) {
    private static final String PREFIX = "org.bytedeco.javacpp.";
    private static final int JAVACPP_RETRIES = 10;

    static JavacppLimits read(Properties properties, long heapBytes) {
        return new JavacppLimits(heapBytes, limit(properties, "maxBytes", heapBytes),
                limit(properties, "maxPhysicalBytes", heapBytes), retries(properties));
    }

    /** 0 is no limit; null: the property is not set. */
    private static Long limit(Properties properties, String name, long heapBytes) {
        String text = value(properties, name);
        try {
            return text == null ? null : (Long) ByteSize.parse(text, heapBytes);
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException("-D" + PREFIX + name + " must be a size such as 512m or 8G, or 0 for no limit: "
                    + wrong.getMessage(), wrong);
        }
    }

    private static int retries(Properties properties) {
        String text = value(properties, "maxRetries");
        try {
            return text == null ? JAVACPP_RETRIES : Math.max(0, Integer.parseInt(text.strip()));
        } catch (NumberFormatException wrong) {
            throw new IllegalArgumentException("-D" + PREFIX + "maxRetries must be a number, not \"" + text + "\"", wrong);
        }
    }

    /** Null: it is not set, or empty. */
    private static String value(Properties properties, String name) {
        String small = properties.getProperty(PREFIX + name.toLowerCase(java.util.Locale.ROOT));
        String exact = properties.getProperty(PREFIX + name, small);
        return exact == null || exact.isEmpty() ? null : exact;
    }
}
