// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.ref.Reference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * The broker of this host, as this program sees it. Any thread may use it.
 *
 * <pre>{@code
 * try (MemoryBroker broker = MemoryBroker.connect();
 *         Lease lease = broker.acquire(1L << 30)) {
 *     FloatView x = lease.memory().floats();
 *     x.set(0, 1.0f);
 * }
 * }</pre>
 */
public final class MemoryBroker implements AutoCloseable {
    private final Session session;
    private final Set<Lease> leases = ConcurrentHashMap.newKeySet();
    private final Set<Block> blocks = ConcurrentHashMap.newKeySet();
    private final Set<BlockWatch> watches = ConcurrentHashMap.newKeySet();
    private final WorkspaceManager workspaces = new WorkspaceManager(this);
    private volatile boolean isClosed;

    private MemoryBroker(Session session) {
        this.session = session;
    }

    /**
     * Connects with the limits of the command line. If the process shares a session already, this is it, whatever its
     * options are.
     *
     * @return the broker, in the session that this process shares
     * @throws NotConnectedException if there is no broker
     * @throws MemoryBrokerException if this user may not connect to it
     */
    public static MemoryBroker connect() {
        return new MemoryBroker(SharedSession.use(ConnectOptions.builder().build(), true));
    }

    /**
     * Connects to the broker. By default all connections of a process share one session; it begins with the options of the
     * first, and the options of the later ones must be the same.
     *
     * @param options how
     * @return the broker
     * @throws NotConnectedException if there is no broker
     * @throws IllegalStateException if the JVM shares a session with other options
     * @throws MemoryBrokerException if this user may not connect, or another library of the process shares a session with
     *     other options
     */
    public static MemoryBroker connect(ConnectOptions options) {
        return new MemoryBroker(options.shared() ? SharedSession.use(options, false)
                : Session.open(options, Session.Sharing.OWN));
    }

    /**
     * Acquires a lease in RAM.
     *
     * @param bytes its size, which is rounded up to whole pages
     * @return the lease, whose memory is zero
     * @throws MemoryLimitException if it does not fit
     */
    public Lease acquire(long bytes) {
        return acquire(bytes, LeaseOptions.builder().build());
    }

    /**
     * Acquires a lease. If it does not fit, the collector runs first: buffers that nobody refers to may hold the memory.
     *
     * @param bytes its size, which is rounded up to whole pages
     * @param options what it should be
     * @return the lease, whose memory is zero unless it has a named file
     * @throws MemoryLimitException if it does not fit
     * @throws InterruptedWaitException if it may wait, and the thread is interrupted
     */
    public Lease acquire(long bytes, LeaseOptions options) {
        Values.atLeastOneByte("a lease", bytes);
        Objects.requireNonNull(options, "options");
        Lease lease = whenFree(() -> new Lease(open(), leases, bytes, options));
        closeIfClosed(lease::close);
        return lease;
    }

    private static void checkSize(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("a size is negative: " + bytes);
        }
    }

    /** If the request does not fit, the collector runs before it is made again. */
    private <T> T whenFree(Supplier<T> request) {
        int maxRetries = session.options.maxRetries();
        for (int i = 1; ; i++) {
            boolean mayBecomeFree = ClosedBuffers.exist(); // asked before the request, during which they may become free
            try {
                return request.get();
            } catch (MemoryLimitException refused) {
                int retries = mayBecomeFree ? Math.max(1, maxRetries) : Math.min(1, maxRetries);
                if (i > retries || !refused.mayFitLater()) {
                    throw refused;
                }
                ClosedBuffers.free(session);
            }
        }
    }

    /** Another thread may have closed the connection while the memory was waited for. */
    private void closeIfClosed(Runnable close) {
        if (isClosed) {
            close.run();
            throw closed();
        }
    }

    /**
     * Creates a tracked buffer in RAM, filled with zeros.
     *
     * @param bytes its size, at least 1
     * @return the buffer
     * @throws MemoryLimitException if it does not fit, even after the collector ran
     */
    public TrackedBuffer createBuffer(long bytes) {
        return TrackedBuffer.create(open(), bytes, BufferOptions.DEFAULT);
    }

    /**
     * Creates a tracked buffer.
     *
     * @param bytes its size, at least 1
     * @param options what it should be
     * @return the buffer
     * @throws MemoryLimitException if it does not fit, even after the collector ran
     */
    public TrackedBuffer createBuffer(long bytes, BufferOptions options) {
        Objects.requireNonNull(options, "options");
        return TrackedBuffer.create(open(), bytes, options);
    }

    /**
     * Creates a block, which can be filled and then published. It ends with its publisher, and processes of the user may
     * attach it.
     *
     * @param bytes its size, which is rounded up to whole pages
     * @return the block, whose memory is zero
     * @throws MemoryLimitException if it does not fit, even after the collector ran
     */
    public Block createBlock(long bytes) {
        return createBlock(bytes, BlockOptions.DEFAULT);
    }

    /**
     * Creates a block, which can be filled and then published.
     *
     * @param bytes its size, which is rounded up to whole pages
     * @param options what it should be
     * @return the block, whose memory is zero
     * @throws MemoryLimitException if it does not fit, even after the collector ran
     */
    public Block createBlock(long bytes, BlockOptions options) {
        checkSize(bytes);
        Block block = whenFree(() -> new Block(open(), blocks, bytes, options));
        closeIfClosed(block::close);
        return block;
    }

    /**
     * Publishes a copy of bytes or of an array. It ends with its publisher, and processes of the user may attach it.
     *
     * @param name 1 to 63 bytes of UTF-8
     * @param content what is copied
     * @return the block
     * @throws MemoryLimitException if it does not fit, even after the collector ran
     * @throws NameTakenException if the user has another block of that name
     * @throws MemoryBrokerException as {@link Block#publish}
     */
    public Block publish(String name, BlockContent content) {
        return publish(name, content, BlockOptions.DEFAULT);
    }

    /**
     * Publishes a copy of bytes or of an array.
     *
     * @param name 1 to 63 bytes of UTF-8
     * @param content what is copied
     * @param options what the block should be; if they have a type, it and the metadata take the place of those of the
     *     content
     * @return the block
     * @throws MemoryLimitException if it does not fit, even after the collector ran
     * @throws NameTakenException if the user has another block of that name, and the options have no {@code replace}
     * @throws MemoryBrokerException as {@link Block#publish}
     */
    public Block publish(String name, BlockContent content, BlockOptions options) {
        Block block = createBlock(content.blockBytes(), content.options(options));
        try {
            content.copyTo(block.memory(), Copies.PIECE);
            block.publish(name);
            return block;
        } catch (RuntimeException | Error failed) {
            block.close();
            throw failed;
        }
    }

    /**
     * Attaches this user's block of that name, if there is one.
     *
     * @param name the name
     * @return a view of it
     * @throws NoSuchBlockException if there is none, or it has ended
     * @throws MemoryBrokerException if the user has too many views or leases
     */
    public BlockView attach(String name) {
        return attach(name, Duration.ZERO);
    }

    /**
     * Attaches this user's block of that name. If there is none, waits for it, also if the broker restarts meanwhile.
     * {@link #cancelWaits} ends the wait.
     *
     * @param name the name
     * @param wait for how long
     * @return a view of it
     * @throws NoSuchBlockException if there is none, or it has ended
     * @throws InterruptedWaitException if it may wait, and the thread is interrupted
     * @throws MemoryBrokerException if the user has too many views or leases
     */
    public BlockView attach(String name, Duration wait) {
        return BlockView.attach(open(), name, wait);
    }

    /**
     * Attaches the block of that name that another user has published. If there is none, waits for it.
     *
     * @param user the number of the user
     * @param name the name
     * @param wait for how long
     * @return a view of it
     * @throws NoSuchBlockException if there is none, if it has ended, or if this user may not attach it
     * @throws InterruptedWaitException if it may wait, and the thread is interrupted
     * @throws MemoryBrokerException if the user has too many views or leases
     */
    public BlockView attachFrom(long user, String name, Duration wait) {
        return BlockView.attachFrom(open(), user, name, wait);
    }

    /**
     * Takes the name from this user's block, which any process of the user may do. Its memory is freed when the last view
     * of it is closed.
     *
     * @param name the name
     * @throws NoSuchBlockException if there is no such block
     */
    public void unpublish(String name) {
        NativeBlock.unpublish(open().handle(), Text.utf8(Objects.requireNonNull(name, "name")));
        Reference.reachabilityFence(this);
    }

    /**
     * Lists the published blocks of this user, and those that it may attach.
     *
     * @return those of now, in the order of their publication; not modifiable
     */
    public List<BlockInfo> blocks() {
        List<BlockInfo> listed = new ArrayList<>();
        NativeBlock.list(open().handle(), listed);
        Reference.reachabilityFence(this);
        return List.copyOf(listed);
    }

    /**
     * Begins to watch the names of this user's blocks that begin with a prefix. Does not ask the broker.
     *
     * @param prefix at most 63 bytes of UTF-8; empty: all names
     * @return the watch
     * @throws MemoryBrokerException if the prefix is not that of a name
     */
    public BlockWatch watch(String prefix) {
        return watch(BlockView.OWN_USER, prefix);
    }

    /**
     * The same for the blocks of another user that this user may attach.
     *
     * @param user the number of the user
     * @param prefix at most 63 bytes of UTF-8; empty: all names
     * @return the watch
     * @throws MemoryBrokerException if the prefix is not that of a name
     */
    public BlockWatch watchFrom(long user, String prefix) {
        return watch(Values.systemNumber("user", user), prefix);
    }

    private BlockWatch watch(long user, String prefix) {
        BlockWatch watch = new BlockWatch(open(), watches, user, prefix);
        closeIfClosed(watch::close);
        return watch;
    }

    /**
     * Puts a small object: the broker keeps a copy of the bytes until this session ends. That is some time after {@link #close},
     * when the collector has found that nothing of the session is in use any more; {@link #remove} ends an object at once.
     *
     * @param name 1 to 63 bytes of UTF-8
     * @param data at most 32,768 bytes
     * @throws MemoryBrokerException as {@link #put(String, byte[], ObjectOptions)}
     */
    public void put(String name, byte[] data) {
        put(name, data, ObjectOptions.DEFAULT);
    }

    /**
     * Puts a small object: the broker keeps a copy of the bytes. It takes the place of this user's object that has the name,
     * and a reader gets the old bytes or the new ones. Objects have names of their own, and all of them end with the broker.
     *
     * @param name 1 to 63 bytes of UTF-8
     * @param data at most 32,768 bytes
     * @param options what it should be
     * @throws MemoryLimitException if the memory does not fit a limit
     * @throws MemoryBrokerException if the data or the name are too long, or the user has too many objects
     */
    public void put(String name, byte[] data, ObjectOptions options) {
        NativeObject.put(open().handle(), Text.utf8(Objects.requireNonNull(name, "name")),
                Objects.requireNonNull(data, "data"), options.lifetime().ordinal(), options.access().ordinal(),
                (int) options.group());
        Reference.reachabilityFence(this);
    }

    /**
     * Gets a copy of this user's object of that name, in most cases without asking the broker.
     *
     * @param name the name
     * @return its bytes, all of them from one put
     * @throws NoSuchBlockException if there is none
     */
    public byte[] get(String name) {
        byte[] data = NativeObject.get(open().handle(), BlockView.OWN_USER, Text.utf8(Objects.requireNonNull(name, "name")));
        Reference.reachabilityFence(this);
        return data;
    }

    /**
     * Gets a copy of the object of that name that another user has put.
     *
     * @param user the number of the user
     * @param name the name
     * @return its bytes, all of them from one put
     * @throws NoSuchBlockException if there is none, or this user may not get it
     */
    public byte[] getFrom(long user, String name) {
        byte[] utf8 = Text.utf8(Objects.requireNonNull(name, "name"));
        byte[] data = NativeObject.get(open().handle(), Values.systemNumber("user", user), utf8);
        Reference.reachabilityFence(this);
        return data;
    }

    /**
     * Ends this user's object of that name, which any process of the user may do.
     *
     * @param name the name
     * @throws NoSuchBlockException if there is none
     */
    public void remove(String name) {
        NativeObject.remove(open().handle(), Text.utf8(Objects.requireNonNull(name, "name")));
        Reference.reachabilityFence(this);
    }

    /**
     * Returns the manager of workspaces.
     *
     * @return the manager
     */
    public WorkspaceManager workspaces() {
        return workspaces;
    }

    /** Makes one round trip to the broker. */
    public void ping() {
        NativeClient.ping(open().handle());
        Reference.reachabilityFence(this);
    }

    /** Releases free memory that the library keeps for the next request. */
    public void trim() {
        NativeClient.trim(open().handle());
        Reference.reachabilityFence(this);
    }

    /** Ends the waits of all requests that wait in the broker's queue: they fail. */
    public void cancelWaits() {
        NativeClient.cancelWaits(open().handle());
        Reference.reachabilityFence(this);
    }

    /**
     * Waits until there is a session, the old one or a new one.
     *
     * @param limit for how long
     * @throws NotConnectedException if there is none in time
     * @throws InterruptedWaitException if the thread is interrupted
     */
    public void waitConnected(Duration limit) {
        NativeClient.waitConnected(open().handle(), Milliseconds.of(limit));
        Reference.reachabilityFence(this);
    }

    /**
     * Returns the number of the session, as {@code membrokerctl sessions} shows it.
     *
     * @return the number
     */
    public long sessionNumber() {
        long number = NativeClient.sessionNumber(open().handle());
        Reference.reachabilityFence(this);
        return number;
    }

    /**
     * Returns the memory pressure of the host, as the broker sees it.
     *
     * @return the pressure
     */
    public Pressure pressure() {
        int pressure = NativeClient.pressure(open().handle());
        Reference.reachabilityFence(this);
        return Pressure.values()[pressure];
    }

    /**
     * Returns how many losses the session has been told of: leases that were lost, and new sessions after a loss of the
     * broker. If it has changed, {@link MemoryRegion#check()} says which memory is lost. A thread of the library counts soon
     * after a loss.
     *
     * @return the number, which may wrap
     */
    public int losses() {
        return open().losses();
    }

    /**
     * Returns the options of the session.
     *
     * @return the options
     */
    public ConnectOptions options() {
        return session.options;
    }

    /**
     * Returns the version of libmembroker.
     *
     * @return the version, such as "0.1.0"
     */
    public static String libraryVersion() {
        return NativeClient.version();
    }

    /**
     * Closes the leases, blocks and watches that began here. The session ends when nothing of it is in use any more: no other
     * connection, no buffer, no view, no workspace. If there is no other connection, the calling thread's workspaces are destroyed,
     * unless a scope is open, and those of other threads when they next open a workspace, or end.
     *
     * @throws IllegalStateException if a lease or a block could not be closed, since the JDK is using a memory segment of
     *         it; the others are closed, and another call tries that one again
     */
    @Override
    public void close() {
        boolean isFirst = end(); // what another thread waits for now is closed by it
        List<Runnable> closes = new ArrayList<>();
        watches.forEach(watch -> closes.add(watch::close));
        leases.forEach(lease -> closes.add(lease::close));
        blocks.forEach(block -> closes.add(block::close));
        IllegalStateException failure = null;
        for (Runnable close : closes) {
            try {
                close.run();
            } catch (IllegalStateException inUse) {
                failure = failure == null ? inUse : failure;
            }
        }
        if (isFirst) {
            SharedSession.drop(session);
            ThreadWorkspaces.destroyUnused();
        }
        if (failure != null) {
            throw failure;
        }
    }

    private synchronized boolean end() {
        boolean isFirst = !isClosed;
        isClosed = true;
        return isFirst;
    }

    Session open() {
        if (isClosed) {
            throw closed();
        }
        return session;
    }

    private static IllegalStateException closed() {
        return new IllegalStateException("the connection to the broker is closed");
    }
}
