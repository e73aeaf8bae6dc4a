// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Finds the shim: the file that {@code -Dio.membroker.library} names, else an installed one, else the one in the jar. The
 * one in the jar has libmembroker inside, so it needs nothing else of membroker's on the host. If another class loader has
 * loaded the file, a copy of it is loaded.
 */
final class NativeLibrary {
    private static final String NAME = "membroker_jni";
    private static final String FILE = System.mapLibraryName(NAME);
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
            loadNamed(Path.of(named).toAbsolutePath());
            return;
        }
        try {
            System.loadLibrary(NAME);
        } catch (UnsatisfiedLinkError notInstalledOrTaken) {
            if (!loadCopyOfInstalled()) {
                loadFor(System.getProperty("os.arch"));
            }
        }
    }

    private static void loadNamed(Path file) {
        try {
            System.load(file.toString());
        } catch (UnsatisfiedLinkError absentOrTaken) {
            if (!loadCopy(file)) {
                throw failure("-Dio.membroker.library names " + file + ", which can't be loaded: "
                        + absentOrTaken.getMessage(), absentOrTaken);
            }
        }
        try {
            NativeClient.version();
        } catch (UnsatisfiedLinkError ofAnother) {
            throw failure("-Dio.membroker.library names " + file + ", which is not membroker's native part for Java ("
                    + FILE + ")", ofAnother);
        }
    }

    private static boolean loadCopyOfInstalled() {
        for (String directory : System.getProperty("java.library.path", "").split(java.io.File.pathSeparator)) {
            if (loadCopy(Path.of(directory, FILE))) {
                return true;
            }
        }
        return false;
    }

    private static boolean loadCopy(Path file) {
        try {
            if (Files.isRegularFile(file)) {
                ShimCopies.load(Files.readAllBytes(file), FILE);
                return true;
            }
        } catch (IOException | UnsatisfiedLinkError useless) {
            // the caller knows what else there is
        }
        return false;
    }

    static void loadFor(String architecture) {
        String resource = "native/linux-" + architecture + "/" + FILE;
        try (InputStream library = NativeLibrary.class.getResourceAsStream(resource)) {
            if (library == null) {
                throw new UnsatisfiedLinkError("the jar has no " + resource
                        + ", and none is installed: install libmembroker-java, or name one with -Dio.membroker.library");
            }
            ShimCopies.load(library.readAllBytes(), FILE);
        } catch (IOException failed) {
            throw failure("membroker's native part can't be unpacked: " + failed + "; name another directory with"
                    + " -Djava.io.tmpdir, or install libmembroker-java, or name its file with -Dio.membroker.library", failed);
        }
    }

    private static UnsatisfiedLinkError failure(String message, Throwable cause) {
        UnsatisfiedLinkError failure = new UnsatisfiedLinkError(message);
        failure.initCause(cause);
        return failure;
    }
}
