/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import java.nio.charset.StandardCharsets;
import java.util.stream.Collectors;

/** A workspace's id as a lease's name, which has at most 63 bytes of UTF-8 and no control characters. */
final class LeaseName {
    private static final int BYTES = 63;

    private LeaseName() {
    }

    /** The id, with control characters as Java writes them in strings, and without what is too long. */
    static String of(String id) {
        String name = id.codePoints().mapToObj(LeaseName::printable).collect(Collectors.joining());
        while (name.getBytes(StandardCharsets.UTF_8).length > BYTES) {
            name = name.substring(0, name.offsetByCodePoints(name.length(), -1));
        }
        return name;
    }

    private static String printable(int character) {
        return Character.isISOControl(character) ? String.format("\\u%04x", character) : Character.toString(character);
    }
}
