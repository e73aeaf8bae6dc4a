/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeMemory: addresses as direct buffers, and their end. */
#include <sys/mman.h>

#include "client/java/src/main/native/shim.h"

/* A direct buffer has at most 2^31 - 1 bytes; the JVM would cut a larger number silently. */
static jobject direct_buffer(JNIEnv *env, jclass class, jlong address, jlong bytes)
{
    (void)class;
    if (bytes < 0 || bytes > INT32_MAX) {
        jclass failure = (*env)->FindClass(env, "java/lang/IllegalArgumentException");
        if (failure) {
            (void)(*env)->ThrowNew(env, failure,
                                   "a ByteBuffer has at most 2,147,483,647 bytes: use slices or a MemorySegment");
        }
        return NULL;
    }
    return (*env)->NewDirectByteBuffer(env, address_of(address), bytes);
}

static void unmap(JNIEnv *env, jclass class, jlong address, jlong bytes)
{
    (void)env, (void)class;
    (void)munmap(address_of(address), (size_t)bytes);
}

static const struct native_method methods[] = {
    {"directBuffer", "(JJ)Ljava/nio/ByteBuffer;", (native_function *)direct_buffer},
    {"unmap", "(JJ)V", (native_function *)unmap},
};

const struct method_table memory_methods = {"io/membroker/NativeMemory", methods, sizeof methods / sizeof *methods};
