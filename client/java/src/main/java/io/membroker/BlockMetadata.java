// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.Map;

/**
 * The types and metadata that the clients of all languages know; client/BLOCKS.md describes them. Another process wrote
 * them, so nothing in them is believed that the size of the block contradicts.
 */
final class BlockMetadata {
    static final String ARRAY = "array";
    static final String BYTES = "bytes";
    private static final String ARROW_STREAM = "arrow-stream";

    private BlockMetadata() {
    }

    static String ofBytes(long count) {
        return "{\"bytes\":" + count + "}";
    }

    static long contentBytes(BlockView view) {
        return switch (view.type()) {
            case ARRAY -> array(view).bytes();
            case BYTES, ARROW_STREAM -> bytes(view);
            default -> view.byteSize();
        };
    }

    static ArrayDescription array(BlockView view) {
        if (!view.type().equals(ARRAY)) {
            throw new IllegalStateException("block \"" + view.name() + "\" is no array: its type is \"" + view.type() + "\"");
        }
        try {
            Map<String, Object> said = MetadataJson.parse(view.metadata());
            String order = MetadataJson.text(said, "order", "C");
            long bytes = fitting(view, MetadataJson.count(said, "bytes"));
            return new ArrayDescription(MetadataJson.text(said, "dtype", null), MetadataJson.counts(said, "shape"),
                    order.length() == 1 ? order.charAt(0) : ' ', bytes);
        } catch (IllegalArgumentException wrong) {
            throw contradiction(view, wrong);
        }
    }

    private static long bytes(BlockView view) {
        try {
            return fitting(view, MetadataJson.count(MetadataJson.parse(view.metadata()), "bytes"));
        } catch (IllegalArgumentException wrong) {
            throw contradiction(view, wrong);
        }
    }

    private static long fitting(BlockView view, long bytes) {
        long room = view.byteSize();
        if (bytes > room) {
            throw new IllegalArgumentException(bytes + " bytes do not fit the block, which has " + room);
        }
        return bytes;
    }

    private static IllegalStateException contradiction(BlockView view, IllegalArgumentException wrong) {
        return new IllegalStateException("the metadata of block \"" + view.name() + "\" (type \"" + view.type()
                + "\") are wrong: " + wrong.getMessage(), wrong);
    }
}
