// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** Whether a lease in RAM has huge pages. */
public enum HugePages {
    /** Never. */
    NEVER,
    /** If the host has some. */
    TRY,
    /** Otherwise the request is refused. */
    ALWAYS,
    /** As the broker's configuration says for this client's class. */
    DEFAULT
}
