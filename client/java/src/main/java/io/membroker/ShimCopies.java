// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;

/**
 * Files with the shim that this JVM has unpacked. The JVM loads a file for one class loader at a time, and the shim stays in
 * the process. So the class loaders of the JVM share a list of the files: a new loader takes a file whose loader was
 * collected, and only if there is none it unpacks another one.
 */
final class ShimCopies {
    private static final String PREFIX = "membroker-";
    private static final Duration YOUNG = Duration.ofMinutes(1);
    private static final String LIST = "io.membroker.copies"; // a system property, the same object for all class loaders

    private ShimCopies() {
    }

    static void load(byte[] shim, String name) throws IOException {
        synchronized (LIST) {
            String[] known = System.getProperty(LIST, "").split(java.io.File.pathSeparator);
            for (String file : known) {
                if (!file.isEmpty() && isFree(Path.of(file), shim)) {
                    return;
                }
            }
            String copy = unpack(shim, name).toString();
            System.load(copy);
            System.setProperty(LIST, String.join(java.io.File.pathSeparator, known[0].isEmpty() ? copy
                    : String.join(java.io.File.pathSeparator, known) + java.io.File.pathSeparator + copy));
        }
    }

    /** If it has the same content and no other loader uses it, it is loaded now. */
    private static boolean isFree(Path file, byte[] shim) throws IOException {
        if (!Files.exists(file) || !Arrays.equals(Files.readAllBytes(file), shim)) {
            return false;
        }
        try {
            System.load(file.toString());
            return true;
        } catch (UnsatisfiedLinkError taken) {
            return false;
        }
    }

    /** Only this user may write the file. The JVM deletes it at its end, or another JVM later. */
    private static Path unpack(byte[] shim, String name) throws IOException {
        Path directory = Files.createTempDirectory(PREFIX + ProcessHandle.current().pid() + "-");
        directory.toFile().deleteOnExit();
        Path copy = directory.resolve(name);
        copy.toFile().deleteOnExit();
        Files.write(copy, shim);
        removeOld(directory.getParent());
        return copy;
    }

    /** Those of processes that were killed. */
    private static void removeOld(Path directory) {
        try (DirectoryStream<Path> copies = Files.newDirectoryStream(directory, PREFIX + "[0-9]*-*")) {
            for (Path old : copies) {
                removeIfOld(old);
            }
        } catch (IOException | RuntimeException unreadable) {
            // they are in nobody's way
        }
    }

    private static void removeIfOld(Path directory) throws IOException {
        String pid = directory.getFileName().toString().replaceFirst(PREFIX + "(\\d+)-.*", "$1");
        FileTime made = Files.getLastModifiedTime(directory);
        if (ProcessHandle.of(Long.parseLong(pid)).isEmpty() && made.toInstant().isBefore(Instant.now().minus(YOUNG))) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
                for (Path file : files) {
                    Files.deleteIfExists(file);
                }
            }
            Files.deleteIfExists(directory);
        }
    }
}
