// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.List;

/**
 * A limit of the broker, of a user or of this client does not allow the request, or the host has too little memory. The
 * figures are those of the message, rounded as there; -1 means that the message has none.
 */
public final class MemoryLimitException extends MemoryBrokerException {
    private static final long serialVersionUID = 1;

    /** The figures of the message. */
    private final transient Refusal refusal;

    /**
     * A process or a user that holds memory under the limit.
     *
     * @param name the client's name
     * @param pid its process, or -1 if the holder is another user, of whom the broker tells no more
     * @param uid the user
     * @param bytes what it holds
     */
    public record Holder(String name, long pid, long uid, long bytes) {
    }

    MemoryLimitException(int errno, String sentence) {
        super(errno, sentence);
        this.refusal = Refusal.parse(sentence);
    }

    /**
     * Returns what was asked for.
     *
     * @return bytes, or -1
     */
    public long askedBytes() {
        return figures().asked();
    }

    /**
     * Returns the limit.
     *
     * @return bytes, or -1
     */
    public long limitBytes() {
        return figures().limit();
    }

    /**
     * Returns how much of the limit is used.
     *
     * @return bytes, or -1
     */
    public long usedBytes() {
        return figures().used();
    }

    /**
     * Returns how much a request could have now.
     *
     * @return bytes, or -1
     */
    public long freeBytes() {
        return figures().free();
    }

    /**
     * Returns the name of the limit, as in the broker's configuration, such as {@code max_physical_bytes}.
     *
     * @return the name, or an empty string
     */
    public String limitName() {
        return figures().limitName();
    }

    /**
     * Returns who holds the most under the limit, the largest first.
     *
     * @return at most a few holders; not modifiable
     */
    public List<Holder> holders() {
        return figures().holders();
    }

    /** After deserialization there is only the message. */
    private Refusal figures() {
        return refusal != null ? refusal : Refusal.parse(getMessage());
    }
}
