// SPDX-License-Identifier: Apache-2.0
/**
 * Arrays with the names that ND4J gives them, for programs that place arrays in workspaces: exchange the imports. This is
 * not a library for computing.
 */
package io.membroker.array;
