// SPDX-License-Identifier: Apache-2.0
package java.lang.foreign;

/** What {@code CycleSegments} uses of Java 22, so that Java 17 compiles it. Never in the jar. */
public interface Arena extends AutoCloseable {
    static Arena ofConfined() {
        throw new UnsupportedOperationException();
    }

    static Arena ofShared() {
        throw new UnsupportedOperationException();
    }

    @Override
    void close();
}
