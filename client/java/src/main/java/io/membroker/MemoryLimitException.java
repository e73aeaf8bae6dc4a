// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.io.Serializable;
import java.util.List;

/**
 * A limit of the broker, of a user or of this client does not allow the request, or the host has too little memory or
 * disk space. The figures are the broker's, exact; -1 means that it gave none. If {@link #limitName} is
 * {@code max_leases}, {@code max_blocks}, {@code max_views}, {@code max_objects}, {@code max_watches} or
 * {@code max_watches_per_user}, they are numbers of leases, blocks and so on, not of bytes.
 */
public final class MemoryLimitException extends MemoryBrokerException {
    private static final long serialVersionUID = 2;

    /** What the broker told beside the message. */
    private final Refusal refusal;

    /**
     * A process or a user that holds memory under the limit.
     *
     * @param name the client's name
     * @param pid its process, or -1 if the holder is another user, of whom the broker tells no more
     * @param uid the user
     * @param bytes what it holds
     * @serial exclude
     */
    public record Holder(String name, long pid, long uid, long bytes) implements Serializable {
    }

    MemoryLimitException(int errno, String sentence, Refusal refusal) {
        super(errno, sentence);
        this.refusal = refusal;
    }

    /**
     * Returns what was asked for, in whole pages.
     *
     * @return bytes, or -1
     */
    public long askedBytes() {
        return refusal.bytes().asked();
    }

    /**
     * Returns the limit. Of {@code available_memory} it is what the host has available, of {@code disk_space} what the
     * file system has free.
     *
     * @return bytes, or -1
     */
    public long limitBytes() {
        return refusal.bytes().limit();
    }

    /**
     * Returns how much of the limit is used.
     *
     * @return bytes, or -1
     */
    public long usedBytes() {
        return refusal.bytes().used();
    }

    /**
     * Returns how much a request could have now.
     *
     * @return bytes, or -1
     */
    public long freeBytes() {
        return refusal.bytes().free();
    }

    /**
     * Returns how much of the limit is reserved for others.
     *
     * @return bytes, or -1
     */
    public long reservedBytes() {
        return refusal.bytes().reserved();
    }

    /**
     * Returns how much of the limit is claimed by requests that wait.
     *
     * @return bytes, or -1
     */
    public long claimedBytes() {
        return refusal.bytes().claimed();
    }

    /**
     * Returns the name of the limit, as in the broker's configuration, such as {@code max_physical_bytes}. Two names are
     * no settings: {@code available_memory} is the host's RAM, {@code disk_space} is that of the files. For a workspace with
     * {@link SpillPolicy#FAIL} that is full it is {@code initial_size}.
     *
     * @return the name, or an empty string
     */
    public String limitName() {
        return refusal.limit();
    }

    /**
     * Returns whether the same request may fit later, when others have released memory. If not, the limit itself is
     * smaller than the request: waiting and collecting garbage are no use.
     *
     * @return whether it may; also if the broker gave no figures
     */
    public boolean mayFitLater() {
        return refusal.mayFitLater();
    }

    /**
     * Returns whose limit it is: {@code host}, {@code client}, {@code user NAME}, {@code group NAME},
     * {@code class NAME} or {@code workspace}.
     *
     * @return the words, or an empty string
     */
    public String limitOwner() {
        return refusal.whose();
    }

    /**
     * Returns who holds the most under the limit, the largest first.
     *
     * @return at most three holders; not modifiable
     */
    public List<Holder> holders() {
        return refusal.listed();
    }
}
