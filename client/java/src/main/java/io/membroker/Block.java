// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.ref.Reference;
import java.util.Objects;
import java.util.Set;

/**
 * Memory that this process fills, and publishes under a name for others to read. From then on nobody can change a byte of
 * it. Any thread may use it.
 *
 * <p>A block is closed with the connection that created it. What becomes of it then is for {@link BlockOptions#lifetime()}
 * to say.
 */
public final class Block implements AutoCloseable {
    private final Session session;
    private final Set<Block> siblings;
    private final long handle;
    private BlockMemory memory;
    private String name;

    Block(Session session, Set<Block> siblings, long bytes, BlockOptions options) {
        this.session = session;
        this.siblings = siblings;
        this.handle = NativeBlock.create(session.handle(), bytes, Text.utf8(options.type()), options.metadata(),
                options.settings());
        long[] block = NativeBlock.look(handle);
        this.memory = new BlockMemory(session, block[NativeBlock.LEASE], block[NativeBlock.ADDRESS],
                block[NativeBlock.BYTES], false);
        Reference.reachabilityFence(session);
        siblings.add(this);
    }

    /**
     * Returns the memory. Before the publication it can be written to, and is zero at first. From the publication on this
     * returns other memory, which can only be read: that of before has ended, with its views and segments. The JDK's
     * buffers over it have zeros, and what is written to them is lost.
     *
     * @return the memory, which ends with the block
     * @throws IllegalStateException if the block is closed
     */
    public synchronized MemoryRegion memory() {
        memory.require();
        return memory;
    }

    /**
     * Publishes the block. No process can change it from then on, this one included.
     *
     * <p>If this fails because the name is taken, or because something can still write to the memory, the block can only be
     * read, but it can be published again. After a name that is not valid, it can still be written to.
     *
     * @param name 1 to 63 bytes of UTF-8
     * @throws IllegalStateException if the block is closed, or the JDK is using a memory segment of it, such as for input
     * @throws LeaseLostException if its memory is lost
     * @throws NameTakenException if the user has another block of that name
     * @throws StillWritableException if something can still write to the memory
     * @throws MemoryBrokerException if the broker refuses it for another reason
     */
    public synchronized void publish(String name) {
        byte[] utf8 = Text.utf8(Objects.requireNonNull(name, "name"));
        memory.require();
        if (memory.isReadOnly()) {
            NativeBlock.publish(handle, utf8);
        } else {
            publishAndMove(utf8);
        }
        this.name = name;
        Reference.reachabilityFence(session);
    }

    private void publishAndMove(byte[] utf8) {
        memory.suspend();
        try {
            NativeBlock.publish(handle, utf8);
        } finally {
            long address = NativeBlock.look(handle)[NativeBlock.ADDRESS];
            if (address == memory.address) {
                memory.resume();
            } else {
                memory = memory.movedTo(address);
            }
        }
    }

    /**
     * Returns the name.
     *
     * @return the name; null: the block is not published
     */
    public synchronized String name() {
        return name;
    }

    /**
     * Returns the size.
     *
     * @return bytes, in whole pages
     */
    public synchronized long byteSize() {
        return memory.byteSize;
    }

    /**
     * Closes the block: frees it if it is not published; otherwise its lifetime says what becomes of it. Its memory ends in
     * this process. Does nothing if it is closed already.
     *
     * @throws IllegalStateException if the JDK is using a memory segment of it; it is not closed then
     */
    @Override
    public synchronized void close() {
        if (memory.close()) {
            siblings.remove(this);
        }
    }

    @Override
    public synchronized String toString() {
        String state = name == null ? ", not published" : " \"" + name + "\"";
        return "block" + state + (memory.life.isOver() ? ", closed" : ", " + memory.byteSize + " bytes");
    }
}
