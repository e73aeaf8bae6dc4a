// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The figures in the broker's sentence about a refusal, the only form in which libmembroker has them. */
record Refusal(long asked, long limit, long used, long free, String limitName, List<MemoryLimitException.Holder> holders) {
    private static final String SIZE = "([0-9.]+ (?:bytes|[KMGT]iB)|unlimited)";
    private static final Pattern ASKED = Pattern.compile(SIZE + " of .+? were asked for");
    private static final Pattern LIMIT = Pattern.compile("'s (\\w+) is " + SIZE + ", of which " + SIZE + " are used");
    private static final Pattern HOST = Pattern.compile(
            "the host has only " + SIZE + " available now, of which " + SIZE + " are promised");
    private static final Pattern FREE = Pattern.compile(": " + SIZE + " are free(?: \\((\\d+) bytes\\))?");
    private static final Pattern HOLDERS = Pattern.compile("Largest holders:(.*?[KMGT]iB|.*? bytes)\\.(?: |$)");
    private static final Pattern HOLDER =
            Pattern.compile("(?:^|, ?) ?([^,]*?) \\((?:pid (\\d+), )?uid (\\d+)\\) " + SIZE);

    static Refusal parse(String sentence) {
        Matcher limit = LIMIT.matcher(sentence);
        Matcher host = HOST.matcher(sentence);
        boolean hasLimit = limit.find();
        boolean isHost = !hasLimit && host.find();
        long most = hasLimit ? bytes(limit.group(2)) : isHost ? bytes(host.group(1)) : -1;
        long used = hasLimit ? bytes(limit.group(3)) : isHost ? bytes(host.group(2)) : -1;
        Matcher asked = ASKED.matcher(sentence);
        return new Refusal(asked.find() ? bytes(asked.group(1)) : -1, most, used, free(sentence),
                hasLimit ? limit.group(1) : "", holders(sentence));
    }

    private static long free(String sentence) {
        Matcher free = FREE.matcher(sentence);
        if (!free.find()) {
            return -1;
        }
        return free.group(2) != null ? Long.parseLong(free.group(2)) : bytes(free.group(1));
    }

    private static List<MemoryLimitException.Holder> holders(String sentence) {
        List<MemoryLimitException.Holder> found = new ArrayList<>();
        Matcher all = HOLDERS.matcher(sentence);
        if (all.find()) {
            Matcher one = HOLDER.matcher(all.group(1).strip());
            while (one.find()) {
                long pid = one.group(2) == null ? -1 : Long.parseLong(one.group(2));
                found.add(new MemoryLimitException.Holder(one.group(1).strip(), pid, Long.parseLong(one.group(3)),
                        bytes(one.group(4))));
            }
        }
        return List.copyOf(found);
    }

    /** A size as the broker writes it, such as "953.6 MiB". */
    private static long bytes(String text) {
        if (text.equals("unlimited")) {
            return Long.MAX_VALUE;
        }
        String[] words = text.split(" ");
        int power = "KMGT".indexOf(words[1].charAt(0)) + 1;
        return (long) (Double.parseDouble(words[0]) * Math.pow(1024, words[1].equals("bytes") ? 0 : power));
    }
}
