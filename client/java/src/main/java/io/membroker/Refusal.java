// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The figures of a refusal, as the library has them. */
record Refusal(String limit, String whose, Bytes bytes, boolean mayFitLater, ArrayList<MemoryLimitException.Holder> holders)
        implements Serializable {
    /** Of an error without figures. */
    static final Refusal UNKNOWN = new Refusal("", "", new Bytes(-1, -1, -1, -1, -1, -1), true, new ArrayList<>());

    private static final int HOLDER_NUMBERS = 4;

    /** Sizes in bytes, or numbers of leases. */
    record Bytes(long asked, long limit, long used, long free, long reserved, long claimed) implements Serializable {
    }

    /** Of what the shim passes; texts are UTF-8. Each holder has its session, process, user and bytes in a row. */
    static Refusal of(byte[] limit, byte[] whose, long[] bytes, boolean mayFitLater, long[] numbers,
            byte[][] names) {
        ArrayList<MemoryLimitException.Holder> holders = new ArrayList<>();
        for (int i = 0; i < names.length; i++) {
            int at = i * HOLDER_NUMBERS;
            long pid = numbers[at] == 0 ? -1 : numbers[at + 1];
            holders.add(new MemoryLimitException.Holder(text(names[i]), pid, numbers[at + 2], numbers[at + 3]));
        }
        return new Refusal(text(limit), text(whose),
                new Bytes(bytes[0], atMost(bytes[1]), bytes[2], bytes[3], bytes[4], bytes[5]), mayFitLater, holders);
    }

    List<MemoryLimitException.Holder> listed() {
        return List.copyOf(holders);
    }

    /** Where a Java program sets a limit of its own, whose name in the sentence is the library's. */
    String advice() {
        if (!whose.equals("client")) {
            return "";
        }
        return switch (limit) {
            case "max_bytes" ->
                " In Java max_bytes is -Dorg.bytedeco.javacpp.maxBytes; without it the Java client takes twice -Xmx, and the "
                        + "plug-in for ND4J has no such limit.";
            case "max_physical_bytes" ->
                " In Java max_physical_bytes is -Dorg.bytedeco.javacpp.maxPhysicalBytes; without it the limit is maxBytes if "
                        + "that is set, else twice -Xmx in the Java client and JavaCPP's own limit in the plug-in for ND4J.";
            default -> ""; // such as max_watches, which is set for the host
        };
    }

    private static String text(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }

    /** The library's numbers have no sign: the largest is no limit. */
    private static long atMost(long unsigned) {
        return unsigned < 0 ? Long.MAX_VALUE : unsigned;
    }
}
