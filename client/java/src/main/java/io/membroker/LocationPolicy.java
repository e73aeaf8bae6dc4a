// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** Where the memory of a workspace is. */
public enum LocationPolicy {
    /** Memory of the host. */
    RAM(Location.RAM),
    /** A file, mapped. */
    MMAP(Location.MMAP),
    /** RAM if the limits and the host allow it, otherwise a file. */
    AUTO(Location.AUTO);

    final Location location;

    LocationPolicy(Location location) {
        this.location = location;
    }
}
