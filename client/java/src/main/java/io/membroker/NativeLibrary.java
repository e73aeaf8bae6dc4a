// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Finds the shim: the file that {@code -Dio.membroker.library} names, else an installed one, else the one in the jar. The
 * one in the jar has libmembroker inside, so it needs nothing else of membroker's on the host.
 */
final class NativeLibrary {
    private static final String NAME = "membroker_jni";
    private static boolean isLoaded;

    private NativeLibrary() {
    }

    static synchronized void load() {
        if (!isLoaded) {
            find();
            isLoaded = true;
        }
    }

    private static void find() {
        String named = System.getProperty("io.membroker.library");
        if (named != null) {
            System.load(named);
            return;
        }
        try {
            System.loadLibrary(NAME);
        } catch (UnsatisfiedLinkError notInstalled) {
            loadFor(System.getProperty("os.arch"));
        }
    }

    static void loadFor(String architecture) {
        String resource = "native/linux-" + architecture + "/lib" + NAME + ".so";
        try (InputStream library = NativeLibrary.class.getResourceAsStream(resource)) {
            if (library == null) {
                throw new UnsatisfiedLinkError("the jar has no " + resource
                        + ", and none is installed: install libmembroker-java, or name one with -Dio.membroker.library");
            }
            loadCopy(library);
        } catch (IOException failed) {
            UnsatisfiedLinkError failure = new UnsatisfiedLinkError("the shim can't be unpacked: " + failed);
            failure.initCause(failed);
            throw failure;
        }
    }

    /** The file is needed only while it is loaded; only this user may write it. */
    private static void loadCopy(InputStream library) throws IOException {
        Path directory = Files.createTempDirectory("membroker");
        Path copy = directory.resolve("lib" + NAME + ".so");
        try {
            Files.copy(library, copy);
            System.load(copy.toString());
        } finally {
            Files.deleteIfExists(copy);
            Files.delete(directory);
        }
    }
}
