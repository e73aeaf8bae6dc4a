// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** What {@link MemoryBroker#publish} copies into a block, with the type and the metadata that say so. */
public final class BlockContent {
    private final String type;
    private final String metadata;
    private final long bytes;
    private final Source source;

    /** Copies elements into a piece of the block. */
    private interface Source {
        void copy(long first, int count, ByteBuffer to);
    }

    private final int elementBytes;

    private BlockContent(String type, String metadata, int elementBytes, long bytes, Source source) {
        this.type = type;
        this.metadata = metadata;
        this.elementBytes = elementBytes;
        this.bytes = bytes;
        this.source = source;
    }

    /**
     * Bytes.
     *
     * @param content those between its position and its limit, neither of which changes
     * @return the content, of type "bytes"
     */
    public static BlockContent of(ByteBuffer content) {
        ByteBuffer bytes = content.slice();
        return new BlockContent(BlockMetadata.BYTES, BlockMetadata.ofBytes(bytes.capacity()), 1, bytes.capacity(),
                (first, count, to) -> to.put(0, bytes, (int) first, count));
    }

    /**
     * The bytes of leased memory, such as that of a workspace or of another block's view.
     *
     * @param content the memory; it must not end before the content is published
     * @return the content, of type "bytes"
     */
    public static BlockContent of(MemoryRegion content) {
        return new BlockContent(BlockMetadata.BYTES, BlockMetadata.ofBytes(content.byteSize()), 1, content.byteSize(),
                (first, count, to) -> copy(content, first, count, to));
    }

    private static void copy(MemoryRegion from, long first, int count, ByteBuffer to) {
        from.use();
        from.access(() -> to.put(0, Windows.slice(from.address + first, count), 0, count));
    }

    /**
     * An array of 32-bit integers.
     *
     * @param elements the elements, the last dimension adjacent
     * @param shape the number of elements in each dimension; none: the array has one dimension
     * @return the content, of type "array"
     * @throws IllegalArgumentException if the array has not as many elements as the shape
     */
    public static BlockContent of(int[] elements, long... shape) {
        return array("i4", Integer.BYTES, elements.length, shape,
                (first, count, to) -> to.asIntBuffer().put(0, elements, (int) first, count));
    }

    /**
     * An array of 64-bit integers.
     *
     * @param elements the elements, the last dimension adjacent
     * @param shape the number of elements in each dimension; none: the array has one dimension
     * @return the content, of type "array"
     * @throws IllegalArgumentException if the array has not as many elements as the shape
     */
    public static BlockContent of(long[] elements, long... shape) {
        return array("i8", Long.BYTES, elements.length, shape,
                (first, count, to) -> to.asLongBuffer().put(0, elements, (int) first, count));
    }

    /**
     * An array of 32-bit floating-point numbers.
     *
     * @param elements the elements, the last dimension adjacent
     * @param shape the number of elements in each dimension; none: the array has one dimension
     * @return the content, of type "array"
     * @throws IllegalArgumentException if the array has not as many elements as the shape
     */
    public static BlockContent of(float[] elements, long... shape) {
        return array("f4", Float.BYTES, elements.length, shape,
                (first, count, to) -> to.asFloatBuffer().put(0, elements, (int) first, count));
    }

    /**
     * An array of 64-bit floating-point numbers.
     *
     * @param elements the elements, the last dimension adjacent
     * @param shape the number of elements in each dimension; none: the array has one dimension
     * @return the content, of type "array"
     * @throws IllegalArgumentException if the array has not as many elements as the shape
     */
    public static BlockContent of(double[] elements, long... shape) {
        return array("f8", Double.BYTES, elements.length, shape,
                (first, count, to) -> to.asDoubleBuffer().put(0, elements, (int) first, count));
    }

    private static BlockContent array(String type, int elementBytes, int elements, long[] shape, Source source) {
        List<Long> dimensions = new ArrayList<>();
        for (long count : shape.length == 0 ? new long[] {elements} : shape) {
            dimensions.add(count);
        }
        ArrayDescription array = ArrayDescription.of(type, dimensions);
        if (array.bytes() != (long) elements * elementBytes) {
            throw new IllegalArgumentException(elements + " elements have not the shape " + dimensions);
        }
        return new BlockContent(BlockMetadata.ARRAY, array.json(), elementBytes, array.bytes(), source);
    }

    /** A block has at least one byte. */
    long blockBytes() {
        return Math.max(1, bytes);
    }

    BlockOptions options(BlockOptions options) {
        return options.describing(type, metadata);
    }

    /** Copies it into memory of at least that size, in pieces of at most so many bytes. */
    void copyTo(MemoryRegion memory, int pieceBytes) {
        memory.use();
        memory.access(() -> {
            int piece = pieceBytes / elementBytes;
            long elements = bytes / elementBytes;
            for (long done = 0; done < elements; done += piece) {
                int count = (int) Math.min(piece, elements - done);
                source.copy(done, count, Windows.slice(memory.address + done * elementBytes, (long) count * elementBytes));
            }
        });
    }
}
