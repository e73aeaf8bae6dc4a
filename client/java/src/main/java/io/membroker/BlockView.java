// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Objects;

/**
 * A published block, to be read. It ends when it is closed, or after the collector found that nothing refers to it, its
 * memory included. Any thread may use it, also while another one closes it.
 *
 * <p>The broker can end a view before, for example if an administrator revokes it. Then bulk access and {@link #check()}
 * throw {@link LeaseLostException}, and the JDK's buffers have zeros as soon as the block is freed. After {@link #close} they
 * have zeros too.
 */
public final class BlockView implements AutoCloseable {
    static final long OWN_USER = -1;

    private final String name;
    private final BlockMemory memory;
    private final long number;
    private final String type;
    private final byte[] metadata;

    private BlockView(Session session, String name, long view) {
        long[] block = NativeBlock.lookAtView(view);
        this.memory = new BlockMemory(session, block[NativeBlock.LEASE], block[NativeBlock.ADDRESS],
                block[NativeBlock.BYTES], true);
        this.name = name;
        this.number = block[NativeBlock.NUMBER];
        this.type = new String(NativeBlock.type(view), StandardCharsets.UTF_8);
        this.metadata = NativeBlock.metadata(view);
        Reference.reachabilityFence(memory);
    }

    static BlockView attach(Session session, String name, Duration wait) {
        return attach(session, OWN_USER, name, wait);
    }

    static BlockView attachFrom(Session session, long user, String name, Duration wait) {
        return attach(session, Values.systemNumber("user", user), name, wait);
    }

    private static BlockView attach(Session session, long user, String name, Duration wait) {
        byte[] utf8 = Text.utf8(Objects.requireNonNull(name, "name"));
        long view = NativeBlock.attach(session.handle(), user, utf8, Milliseconds.of(wait));
        Reference.reachabilityFence(session);
        return new BlockView(session, name, view);
    }

    /**
     * Returns the name that the block was attached by.
     *
     * @return the name
     */
    public String name() {
        return name;
    }

    /**
     * Returns the number of the block: no other block of this broker has it, so a name that was replaced shows.
     *
     * @return the number
     */
    public long number() {
        return number;
    }

    /**
     * Returns the size.
     *
     * @return bytes, in whole pages
     */
    public long byteSize() {
        return memory.byteSize;
    }

    /**
     * Returns what the publisher said that the bytes are.
     *
     * @return the type; empty: it said nothing
     */
    public String type() {
        return type;
    }

    /**
     * Returns how the publisher described the content.
     *
     * @return a copy of the metadata
     */
    public byte[] metadata() {
        return metadata.clone();
    }

    /**
     * Returns the memory of the block: whole pages, which may be more than the publisher asked for. It can only be read:
     * writing throws {@link ReadOnlyBufferException}.
     *
     * @return the memory, which ends with the view
     * @throws IllegalStateException if the view is closed
     */
    public MemoryRegion memory() {
        memory.require();
        return memory;
    }

    /**
     * Returns as much of the memory as has content, if the metadata say so, as those of Python and of
     * {@link MemoryBroker#publish} do; otherwise all of it.
     *
     * @return the memory, which ends with the view
     * @throws IllegalStateException if the view is closed, or the metadata contradict the type or the size of the block
     */
    public MemoryRegion content() {
        return memory().slice(0, BlockMetadata.contentBytes(this));
    }

    /**
     * Returns the dimensions and the type of the elements, if the content is an array.
     *
     * @return the description
     * @throws IllegalStateException if the type of the block is not "array", or the metadata contradict the size of the
     *     block
     */
    public ArrayDescription array() {
        return BlockMetadata.array(this);
    }

    /**
     * Returns the content as a read-only buffer of the JDK's. Check the view after reading.
     *
     * @return a buffer in the byte order of the machine
     * @throws IllegalArgumentException if the content has more than 2^31 - 1 bytes
     * @throws IllegalStateException as {@link #content()}
     */
    public ByteBuffer asByteBuffer() {
        return content().asByteBuffer();
    }

    /**
     * Returns an array of 32-bit integers, as the content has them in memory. Check the view after reading.
     *
     * @return a read-only buffer in the byte order of the array
     * @throws IllegalArgumentException if the content has more than 2^31 - 1 bytes
     * @throws IllegalStateException as {@link #array()}, or if the elements are of another type
     */
    public IntBuffer asIntBuffer() {
        return elements("i4").asIntBuffer();
    }

    /**
     * Returns an array of 64-bit integers, as the content has them in memory. Check the view after reading.
     *
     * @return a read-only buffer in the byte order of the array
     * @throws IllegalArgumentException if the content has more than 2^31 - 1 bytes
     * @throws IllegalStateException as {@link #array()}, or if the elements are of another type
     */
    public LongBuffer asLongBuffer() {
        return elements("i8").asLongBuffer();
    }

    /**
     * Returns an array of 32-bit floating-point numbers, as the content has them in memory. Check the view after reading.
     *
     * @return a read-only buffer in the byte order of the array
     * @throws IllegalArgumentException if the content has more than 2^31 - 1 bytes
     * @throws IllegalStateException as {@link #array()}, or if the elements are of another type
     */
    public FloatBuffer asFloatBuffer() {
        return elements("f4").asFloatBuffer();
    }

    /**
     * Returns an array of 64-bit floating-point numbers, as the content has them in memory. Check the view after reading.
     *
     * @return a read-only buffer in the byte order of the array
     * @throws IllegalArgumentException if the content has more than 2^31 - 1 bytes
     * @throws IllegalStateException as {@link #array()}, or if the elements are of another type
     */
    public DoubleBuffer asDoubleBuffer() {
        return elements("f8").asDoubleBuffer();
    }

    private ByteBuffer elements(String wanted) {
        ArrayDescription array = array();
        if (!array.dtype().substring(1).equals(wanted)) {
            throw new IllegalStateException("the elements of block \"" + name + "\" are of type " + array.dtype() + ", not "
                    + wanted);
        }
        return memory().slice(0, array.bytes()).asByteBuffer().order(array.byteOrder());
    }

    /**
     * Throws if the view has ended; otherwise everything that was read from it until now was the content of the block.
     * Call it after reading. Costs about 10 ns.
     *
     * @throws IllegalStateException if the view is closed
     * @throws LeaseLostException if it is lost
     */
    public void check() {
        memory.check();
    }

    /**
     * Closes the view. Its memory ends in this process. Does nothing if it is closed already.
     *
     * @throws IllegalStateException if the JDK is using a memory segment of it, such as for output; it is not closed then
     */
    @Override
    public void close() {
        memory.close();
    }

    @Override
    public String toString() {
        return "view of block \"" + name + "\" (" + number + ") of " + memory.byteSize + " bytes"
                + (memory.life.isOver() ? ", closed" : "");
    }
}
