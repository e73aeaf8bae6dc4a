// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Metadata that another process wrote, which may be anything. */
class MetadataJsonTest {
    private static TestBroker daemon;
    private static MemoryBroker broker;

    @BeforeAll
    static void start() {
        daemon = new TestBroker();
        broker = MemoryBroker.connect(daemon.options().build());
    }

    @AfterAll
    static void stop() {
        broker.close();
        daemon.close();
    }

    private static Map<String, Object> parse(String text) {
        return MetadataJson.parse(text.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void readsWhatItShould() {
        Map<String, Object> object = parse(" { \"a\" : 12 ,\"b\":\"<f8\",\r\n\t\"c\":[ 3 , 0,9223372036854775807 ],\"d\":[]} ");
        assertEquals(12, MetadataJson.count(object, "a"));
        assertEquals("<f8", MetadataJson.text(object, "b", "C"));
        assertEquals("C", MetadataJson.text(object, "e", "C"));
        assertEquals(List.of(3L, 0L, Long.MAX_VALUE), MetadataJson.counts(object, "c"));
        assertEquals(List.of(), MetadataJson.counts(object, "d"));
        assertEquals(Map.of(), parse("{}"));
    }

    @Test
    void looksAtNothingThatNobodyAsksFor() {
        Map<String, Object> object = parse("{\"a\":[{\"x\":[[1.5,-2e3],null]},true,\"\\u00e4\\n\\\"\\\\\"],\"b\":{},\"ä\":-1,\"n\":1}");
        assertEquals(1, MetadataJson.count(object, "n"));
        for (String key : List.of("a", "b", "ä", "e")) {
            assertThrows(IllegalArgumentException.class, () -> MetadataJson.count(object, key));
            assertThrows(IllegalArgumentException.class, () -> MetadataJson.text(object, key, null));
            assertThrows(IllegalArgumentException.class, () -> MetadataJson.counts(object, key));
        }
        parse("{\"a\":" + "[".repeat(31) + "]".repeat(31) + "}");
        assertThrows(IllegalArgumentException.class, () -> parse("{\"a\":" + "[".repeat(32) + "]".repeat(32) + "}"));
        assertThrows(IllegalArgumentException.class, () -> parse("{\"a\":" + "[".repeat(4000)));
        assertThrows(IllegalArgumentException.class, () -> MetadataJson.parse(new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}'}));
        assertThrows(IllegalArgumentException.class, () -> MetadataJson.count(parse("{\"a\":9223372036854775808}"), "a"));
        parse("{\"a\":\"" + "x".repeat(4000) + "\"}");
        assertEquals(1, MetadataJson.count(parse("{\"a\":\"" + "\\nx".repeat(100_000) + "\",\"n\":1}"), "n"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "{", "}", "[]", "null", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{\"a\":1}}", "{a:1}",
        "{\"a\":01}", "{\"a\":1.}", "{\"a\":+1}", "{\"a\":tru}", "{\"a\":[1,]}", "{\"a\":[1 2]}", "{\"a\":[1}", "{\"a\":\"\\u004\"}",
        "{\"a\":\"\\x\"}", "{\"a\":\"", "{\"a\":\"\n\"}", "{\"a\":1,\"a\":2}", "{\"a\":1} x", "{\"a\":\"\0\"}", "{\"a\":{\"b\"}}",
        "{,}", "{\"a\":1 \"b\":2}"})
    void refusesEverythingElse(String text) {
        assertThrows(IllegalArgumentException.class, () -> parse(text));
    }

    private static final String ARRAY = "{\"dtype\":\"%s\",\"shape\":%s,\"order\":\"%s\",\"bytes\":%s}";

    private static BlockView published(String type, String metadata) {
        Block block = broker.createBlock(4096, BlockOptions.builder().type(type).replace(true)
                .metadata(metadata.getBytes(StandardCharsets.UTF_8)).build());
        block.memory().bytes().set(7, (byte) 1);
        block.publish("hostile");
        BlockView view = broker.attach("hostile");
        block.close();
        return view;
    }

    @Test
    void readsArraysOfAllOrdersAndSizes() {
        try (BlockView view = published("array", ARRAY.formatted(">i8", "[1,2]", "F", "16"))) {
            assertEquals('F', view.array().order());
            assertEquals(ByteOrder.BIG_ENDIAN, view.array().byteOrder());
            assertEquals(1, view.asLongBuffer().get(0));
            assertEquals(2, view.asLongBuffer().capacity());
            assertEquals(16, view.content().byteSize());
        }
        try (BlockView view = published("array", ARRAY.formatted("<f8", "[]", "C", "8"))) {
            assertEquals(1, view.asDoubleBuffer().capacity());
        }
        try (BlockView view = published("array", ARRAY.formatted("<c16", "[256]", "C", "4096"))) {
            assertEquals(4096, view.asByteBuffer().capacity());
        }
        try (BlockView view = published("array", "{\"dtype\":\"bfloat16\",\"shape\":[3],\"bytes\":6,\"strides\":[-2]}")) {
            assertEquals('C', view.array().order());
            assertEquals(6, view.asByteBuffer().capacity());
            assertEquals(ByteOrder.LITTLE_ENDIAN, view.array().byteOrder());
            assertThrows(IllegalStateException.class, view::asFloatBuffer);
        }
        try (BlockView view = published("arrow-stream", "{\"bytes\":7}")) {
            assertEquals(7, view.asByteBuffer().capacity());
        }
        try (BlockView view = published("of mine", "whatever")) {
            assertEquals(4096, view.asByteBuffer().capacity());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"<f8 [2] C 8", "<f8 [2] C 17", "<f8 [513] C 4104", "<f8 [4611686018427387904] C 0",
        "<f8 [4294967296,4294967296] C 0", "<f8 [9223372036854775807] C 9223372036854775807", "<f8 [2] X 16", "<f8 [2] CC 16",
        "f8 [2] C 16", "<O8 [2] C 16", "<U2 [2] C 16", "<f0 [2] C 0", "<f99999999999 [2] C 16", "=f8 [2] C 16", "<f8 2 C 16", "<f8 [2] C \"16\"", "<f8 [-2] C 16",
        "<f8x [2] C 16"})
    void believesNoArrayThatTheBlockContradicts(String words) {
        String[] word = words.split(" ");
        try (BlockView view = published("array", ARRAY.formatted(word[0], word[1], word[2], word[3]))) {
            assertThrows(IllegalStateException.class, view::array);
            assertThrows(IllegalStateException.class, view::content);
            assertThrows(IllegalStateException.class, view::asDoubleBuffer);
            assertEquals(4096, view.memory().asByteBuffer().capacity());
        }
    }

    @Test
    void believesNoLengthThatTheBlockContradicts() {
        for (String metadata : List.of("{\"bytes\":4097}", "{\"bytes\":-1}", "{}", "", "{\"bytes\":[1]}")) {
            try (BlockView view = published("bytes", metadata)) {
                assertThrows(IllegalStateException.class, view::asByteBuffer, metadata);
            }
        }
        try (BlockView view = published("bytes", "{\"bytes\":4096}")) {
            assertEquals(4096, view.asByteBuffer().capacity());
            assertThrows(IllegalStateException.class, view::array);
        }
    }
}
