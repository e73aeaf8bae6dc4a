// SPDX-License-Identifier: Apache-2.0
/**
 * Off-heap memory that a JVM leases from the memory broker of its host.
 *
 * <p>{@link io.membroker.MemoryBroker#connect()} is the beginning. The broker enforces byte limits for all programs of
 * the host; a program that dies, hangs or exceeds its limits loses its leases, not the host its memory. Sizes are in
 * bytes unless a name says otherwise.
 */
package io.membroker;
