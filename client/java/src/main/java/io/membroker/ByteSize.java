// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes as JavaCPP reads them from its system properties. */
final class ByteSize {
    private static final Pattern GRAMMAR = Pattern.compile("(\\d+)\\s*(%|[kmgt]?b?)");

    private ByteSize() {
    }

    /**
     * Digits, and perhaps one of % (of the largest heap), k, m, g and t, each but the first perhaps followed by b; in
     * powers of 1,024. Capital letters are equivalent.
     */
    static long parse(String text, long heapBytes) {
        Matcher matcher = GRAMMAR.matcher(text.strip().toLowerCase(Locale.ROOT));
        if (!matcher.matches()) {
            throw new IllegalArgumentException("Cannot parse into bytes: " + text);
        }
        try {
            long number = Long.parseLong(matcher.group(1));
            return matcher.group(2).equals("%")
                    ? (long) (number / 100.0 * heapBytes)
                    : Math.multiplyExact(number, factor(matcher.group(2)));
        } catch (NumberFormatException | ArithmeticException tooLarge) {
            throw new IllegalArgumentException("Cannot parse into bytes: " + text + " is too large", tooLarge);
        }
    }

    private static long factor(String unit) {
        int power = unit.isEmpty() ? 0 : "bkmgt".indexOf(unit.charAt(0));
        return 1L << (10 * power);
    }
}
