/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Java client's shim: the native methods of io.membroker.Native... over libmembroker. Each file has the table of
 * one class. A failure is thrown before the method returns, because a virtual thread may continue on another carrier,
 * which has an error sentence of its own.
 */
#pragma once

#include <jni.h>
#include <membroker.h>
#include <stdbool.h>
#include <stddef.h>

enum { SHIM_NAME_BYTES = 256, SHIM_PATH_BYTES = 4096 };

/* Java's handle of a client. */
struct connection {
    mb_client *client;
    struct listener *listener;
    mb_listener *heard; /* has the library call the listener */
    mb_reclaimer *asked;
    bool is_shared; /* with the rest of the process */
};

typedef void native_function(void);

struct native_method {
    const char *name, *signature;
    native_function *function;
};

struct method_table {
    const char *class_name;
    const struct native_method *methods;
    size_t count;
};

extern const struct method_table block_methods, block_watch_methods, buffer_methods, client_methods, lease_methods,
    memory_methods, object_methods, workspace_methods;

/* As an owner: this process's user. */
enum { OWN_USER = -1 };

/* Throws what io.membroker.Failures makes of a negative errno code and the thread's sentence. */
void failure_throw(JNIEnv *env, int code);

/* The same for a call that left the code in errno. */
void failure_throw_errno(JNIEnv *env);

/* Throws if the result is negative; returns the result. */
int failure_check(JNIEnv *env, int result);

/* The same for a call with the name of a block, which may not exist any more. */
int failure_check_block(JNIEnv *env, int result);

/* The same for the publication of a block. */
int failure_check_publication(JNIEnv *env, int result);

/* A new array. NULL: an exception is pending. */
jbyteArray bytes_new(JNIEnv *env, const void *data, size_t count);

/* Copies a string, UTF-8 without a zero byte; cuts what does not fit. NULL if the array is NULL. */
const char *text_copy(JNIEnv *env, jbyteArray bytes, char *room, size_t room_bytes);

/* Before all others, when the JVM loads the shim. */
void interrupt_init(JavaVM *vm);

/* From now on an interrupt ends the waits of the calling thread. Call it before what may wait. */
void interrupt_watch(void);

/* The same, and an io.membroker.CancellableWaits is told of each wait. `watch` is set, and must remain valid until
 * interrupt_watch() is called. */
void interrupt_watch_with(jobject waits, mb_wait_watch *watch);

/* From now on a Java thread that ends closes its workspaces. */
void thread_end_watch(JNIEnv *env);

static inline struct connection *connection_of(jlong handle)
{
    return (struct connection *)handle; // NOLINT(performance-no-int-to-ptr)
}

static inline mb_lease *lease_of(jlong handle)
{
    return (mb_lease *)handle; // NOLINT(performance-no-int-to-ptr)
}

static inline void *address_of(jlong address)
{
    return (void *)address; // NOLINT(performance-no-int-to-ptr)
}
