// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.ByteOrder;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What an array in a block is, in NumPy's words.
 *
 * @param dtype the type of the elements: their byte order ({@code <} little, {@code >} big, {@code |} none), their kind and
 *     their size, such as {@code <f8}; or {@code bfloat16}
 * @param shape the number of elements in each dimension; none: the array is one element
 * @param order {@code C} if the last dimension is adjacent in memory, {@code F} if the first is
 * @param bytes the size of all elements
 */
public record ArrayDescription(String dtype, List<Long> shape, char order, long bytes) {
    private static final Pattern DTYPE = Pattern.compile("[<>|][biufc]([1-9][0-9]?)");
    private static final String BFLOAT16 = "bfloat16"; // the one that NumPy has no string for

    /**
     * Checks that the parts agree.
     *
     * @param dtype the type of the elements
     * @param shape the number of elements in each dimension
     * @param order C or F
     * @param bytes the size of all elements
     * @throws IllegalArgumentException if they do not
     */
    public ArrayDescription {
        shape = List.copyOf(shape);
        if (order != 'C' && order != 'F') {
            throw new IllegalArgumentException("the order of an array is C or F, not " + order);
        }
        long expected = size(dtype, shape);
        if (bytes != expected) {
            throw new IllegalArgumentException("an array of " + dtype + " with the shape " + shape + " has " + expected
                    + " bytes, not " + bytes);
        }
    }

    static ArrayDescription of(String kindAndSize, List<Long> shape) {
        String dtype = (ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN ? "<" : ">") + kindAndSize;
        return new ArrayDescription(dtype, shape, 'C', size(dtype, shape));
    }

    private static long size(String dtype, List<Long> shape) {
        long bytes = elementBytes(dtype);
        try {
            for (long count : shape) {
                bytes = Math.multiplyExact(bytes, count);
            }
        } catch (ArithmeticException tooMany) {
            throw new IllegalArgumentException("no memory has an array with the shape " + shape, tooMany);
        }
        if (shape.stream().anyMatch(count -> count < 0)) {
            throw new IllegalArgumentException("a dimension is negative: " + shape);
        }
        return bytes;
    }

    private static long elementBytes(String dtype) {
        Matcher parts = DTYPE.matcher(dtype);
        if (!parts.matches() && !dtype.equals(BFLOAT16)) {
            throw new IllegalArgumentException("\"" + dtype + "\" is no type of elements");
        }
        return dtype.equals(BFLOAT16) ? Short.BYTES : Long.parseLong(parts.group(1));
    }

    /**
     * Returns the order of bytes in an element.
     *
     * @return big endian if the type says so
     */
    public ByteOrder byteOrder() {
        return dtype.charAt(0) == '>' ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    }

    /** As Python writes it. */
    String json() {
        return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape.toString().replace(" ", "") + ",\"order\":\"" + order
                + "\",\"bytes\":" + bytes + "}";
    }
}
