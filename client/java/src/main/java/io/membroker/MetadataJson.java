// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads JSON of one object, which another process wrote. What is no JSON is an {@link IllegalArgumentException}, and so is
 * what is nested deeply. Members are not looked at until they are asked for, since a reader ignores those that it does not
 * know.
 */
final class MetadataJson {
    private static final int DEEPEST = 32;
    private static final Pattern NUMBER = Pattern.compile("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?");
    private static final Pattern COUNT = Pattern.compile("0|[1-9][0-9]*");
    private static final Pattern PLAIN = Pattern.compile("[^\"\\\\\\x00-\\x1f]*+");
    private static final Pattern ESCAPE = Pattern.compile("\\\\([\"\\\\/bfnrt]|u[0-9a-fA-F]{4})");
    private static final Pattern WORD = Pattern.compile("true|false|null");
    private static final Pattern SPACE = Pattern.compile("[ \\t\\n\\r]*+");

    /** Something that is neither a string, a list nor an object, as it is written. */
    private record Literal(String text) {
        @Override
        public String toString() {
            return text;
        }
    }

    private final String text;
    private int at;
    private int depth;

    private MetadataJson(String text) {
        this.text = text;
    }

    static Map<String, Object> parse(byte[] metadata) {
        try {
            MetadataJson json =
                    new MetadataJson(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(metadata)).toString());
            json.expect('{');
            Map<String, Object> object = json.object();
            if (json.at < json.text.length()) {
                throw json.unexpected();
            }
            return object;
        } catch (CharacterCodingException wrong) {
            throw new IllegalArgumentException("they are no UTF-8", wrong);
        }
    }

    // ---- members ----

    /** A number from 0 on. */
    static long count(Map<String, Object> object, String key) {
        return count(key, object.get(key));
    }

    private static long count(String key, Object value) {
        if (!(value instanceof Literal number) || !COUNT.matcher(number.text).matches()) {
            throw new IllegalArgumentException("\"" + key + "\" is " + (value == null ? "missing" : value));
        }
        try {
            return Long.parseLong(number.text);
        } catch (NumberFormatException tooLarge) {
            throw new IllegalArgumentException("\"" + key + "\" is too large", tooLarge);
        }
    }

    static List<Long> counts(Map<String, Object> object, String key) {
        if (!(object.get(key) instanceof List<?> list)) {
            throw new IllegalArgumentException("\"" + key + "\" is no list");
        }
        return list.stream().map(value -> count(key, value)).toList();
    }

    static String text(Map<String, Object> object, String key, String otherwise) {
        Object value = object.getOrDefault(key, otherwise);
        if (!(value instanceof String string)) {
            throw new IllegalArgumentException("\"" + key + "\" is " + (value == null ? "missing" : value));
        }
        return string;
    }

    // ---- parsing: each method skips the space behind what it reads ----

    private Object value() {
        if (isAt('"')) {
            return string();
        }
        if (follows('[')) {
            return list();
        }
        if (follows('{')) {
            return object();
        }
        String literal = follows(NUMBER);
        literal = literal == null ? follows(WORD) : literal;
        if (literal == null) {
            throw unexpected();
        }
        return new Literal(literal);
    }

    private Map<String, Object> object() {
        Map<String, Object> members = new HashMap<>();
        enter();
        for (boolean isMore = !follows('}'); isMore; isMore = !ends('}')) {
            String key = string();
            expect(':');
            if (members.put(key, value()) != null) {
                throw new IllegalArgumentException("\"" + key + "\" is there twice");
            }
        }
        depth--;
        return members;
    }

    private List<Object> list() {
        List<Object> values = new ArrayList<>();
        enter();
        for (boolean isMore = !follows(']'); isMore; isMore = !ends(']')) {
            values.add(value());
        }
        depth--;
        return values;
    }

    private void enter() {
        if (++depth > DEEPEST) {
            throw new IllegalArgumentException("they are nested deeper than " + DEEPEST);
        }
    }

    /** After a value: the end, or a comma. */
    private boolean ends(char end) {
        if (follows(end)) {
            return true;
        }
        expect(',');
        return false;
    }

    /** With its escapes: no key and no value that anybody asks for has any. */
    private String string() {
        quote();
        StringBuilder string = new StringBuilder(take(PLAIN));
        for (String escape = take(ESCAPE); escape != null; escape = take(ESCAPE)) {
            string.append(escape).append(take(PLAIN));
        }
        quote();
        skipSpace();
        return string.toString();
    }

    private void quote() {
        if (!isAt('"')) {
            throw unexpected();
        }
        at++;
    }

    private boolean isAt(char wanted) {
        return at < text.length() && text.charAt(at) == wanted;
    }

    private String follows(Pattern wanted) {
        String found = take(wanted);
        skipSpace();
        return found;
    }

    /** Null: something else is there. */
    private String take(Pattern wanted) {
        Matcher matcher = wanted.matcher(text).region(at, text.length());
        if (!matcher.lookingAt()) {
            return null;
        }
        at = matcher.end();
        return matcher.group();
    }

    private boolean follows(char wanted) {
        skipSpace();
        boolean follows = isAt(wanted);
        if (follows) {
            at++;
            skipSpace();
        }
        return follows;
    }

    private void expect(char wanted) {
        if (!follows(wanted)) {
            throw unexpected();
        }
    }

    private void skipSpace() {
        take(SPACE);
    }

    private IllegalArgumentException unexpected() {
        return new IllegalArgumentException("at character " + at + " they are no JSON");
    }
}
