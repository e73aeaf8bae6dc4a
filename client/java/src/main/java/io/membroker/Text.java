// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.charset.StandardCharsets;

/** Strings for the shim. */
final class Text {
    private Text() {
    }

    /** UTF-8, or null. The library ends a string at its first zero byte, so there must be none. */
    static byte[] utf8(String text) {
        if (text != null && text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a name has a zero character");
        }
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }
}
