// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.time.Duration;
import java.util.Objects;

/** Refuses values that are wrong in themselves, before anything is asked for. The message names the option. */
final class Values {
    private static final int NAME_BYTES = 63;

    /** What the library can be told, rounded down to whole days for people. */
    private static final Duration LONGEST = Duration.ofMillis(Integer.MAX_VALUE);

    private Values() {
    }

    static void notNegative(String what, long number) {
        if (number < 0) {
            throw new IllegalArgumentException(what + " is negative: " + number);
        }
    }

    /** Users and groups have numbers of 32 bits. */
    static long systemNumber(String what, long number) {
        if (number < 0 || number > 0xffff_ffffL) {
            throw new IllegalArgumentException("no " + what + " has the number " + number);
        }
        return number;
    }

    static void notNegative(String what, Duration time) {
        if (Objects.requireNonNull(time, what).isNegative()) {
            throw new IllegalArgumentException(what + " is negative: " + time);
        }
    }

    /** No broker grants more than a few hours: to cut the time would only hide what was asked for. */
    static void timeToLive(Duration ttl) {
        notNegative("ttl", ttl);
        if (ttl.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException("ttl must be at most " + LONGEST.toDays() + " days, not " + ttl);
        }
    }

    static void atLeastOneByte(String what, long bytes) {
        if (bytes <= 0) {
            throw new IllegalArgumentException(what + " has at least one byte, not " + bytes);
        }
    }

    /** -1 is any node. */
    static void numaNode(int node) {
        if (node < -1) {
            throw new IllegalArgumentException("numaNode must be the number of a node, or -1 for any, not " + node);
        }
    }

    /** Null: none. */
    static void name(String what, String text) {
        if (text != null && (Text.utf8(text).length > NAME_BYTES || text.chars().anyMatch(Character::isISOControl))) {
            throw new IllegalArgumentException(what + " must have at most " + NAME_BYTES
                    + " bytes of UTF-8 and no control characters: \"" + text + "\"");
        }
    }

    /** The broker makes the file in a directory of its own. Null: none. */
    static void file(String what, String text) {
        name(what, text);
        if (text != null && (text.indexOf('/') >= 0 || text.startsWith("."))) {
            throw new IllegalArgumentException(what + " must be a name without a directory that begins with no dot, not \""
                    + text + "\": the broker makes the file in a directory of its own ([mapped] files)");
        }
    }
}
