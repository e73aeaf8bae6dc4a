/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeClient: connecting, and the client's callbacks. */
#include <errno.h>
#include <stdlib.h>

#include "client/java/src/main/native/shim.h"

/* ---- callbacks ---- */

/* The thread's environment; a thread that the JVM does not know is attached for the time of the callback. */
static JNIEnv *attach(JavaVM *vm, int *ret_is_new)
{
    JNIEnv *env;
    char name[] = "membroker";
    JavaVMAttachArgs arguments = {JNI_VERSION_10, name, NULL};
    *ret_is_new = 0;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_10) == JNI_OK) {
        return env;
    }
    *ret_is_new = 1;
    return (*vm)->AttachCurrentThreadAsDaemon(vm, (void **)&env, &arguments) == JNI_OK ? env : NULL;
}

/* Nothing of Java's may pass through the library's frames. */
static void swallow(JNIEnv *env)
{
    if ((*env)->ExceptionCheck(env)) {
        (*env)->ExceptionDescribe(env);
        (*env)->ExceptionClear(env);
    }
}

static void tell_session(JNIEnv *env, const struct connection *connection, const mb_event *event)
{
    jobject session = (*env)->NewLocalRef(env, connection->session);
    if (session) {
        (*env)->CallVoidMethod(env, session, connection->on_event, (jint)event->type, (jlong)event->lease,
                               (jint)event->reason, (jlong)event->milliseconds, (jlong)event->bytes);
        swallow(env);
        (*env)->DeleteLocalRef(env, session);
    }
}

static void on_event(const mb_event *event, void *user_data)
{
    const struct connection *connection = user_data;
    int is_new;
    JNIEnv *env = attach(connection->vm, &is_new);
    if (env) {
        tell_session(env, connection, event);
        if (is_new) {
            (void)(*connection->vm)->DetachCurrentThread(connection->vm);
        }
    }
}

/* In a thread of Java's that allocates. */
static void on_reclaim(const mb_reclaim *reclaim, void *user_data)
{
    const struct connection *connection = user_data;
    JNIEnv *env;
    if ((*connection->vm)->GetEnv(connection->vm, (void **)&env, JNI_VERSION_10) != JNI_OK) {
        return;
    }
    jobject session = (*env)->NewLocalRef(env, connection->session);
    if (session) {
        (*env)->CallVoidMethod(env, session, connection->on_reclaim, (jlong)reclaim->wanted_bytes,
                               (jint)reclaim->attempt);
        swallow(env);
        (*env)->DeleteLocalRef(env, session);
    }
}

/* ---- connecting ---- */

static struct connection *connection_new(JNIEnv *env, jobject session)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        return NULL;
    }
    jclass class = (*env)->GetObjectClass(env, session);
    connection->on_event = (*env)->GetMethodID(env, class, "onEvent", "(IJIJJ)V");
    connection->on_reclaim = connection->on_event ? (*env)->GetMethodID(env, class, "onReclaim", "(JI)V") : NULL;
    connection->session = connection->on_reclaim ? (*env)->NewWeakGlobalRef(env, session) : NULL;
    if (!connection->session || (*env)->GetJavaVM(env, &connection->vm) != JNI_OK) {
        free(connection);
        return NULL;
    }
    return connection;
}

static void connection_free(JNIEnv *env, struct connection *connection)
{
    (*env)->DeleteWeakGlobalRef(env, connection->session);
    free(connection);
}

/* numbers: heap, maxBytes, maxPhysicalBytes, cacheBytes; settings: flags, timeout, retries, their pause, wait */
enum { HEAP, MAX_BYTES, MAX_PHYSICAL, CACHE, NUMBERS };
enum { FLAGS, TIMEOUT, RETRIES, RETRY_WAIT, WAIT, SETTINGS };

static jlong do_connect(JNIEnv *env, jclass class, jobject session, jbyteArray socket, jbyteArray name,
                        jlongArray numbers, jintArray settings)
{
    (void)class;
    char socket_room[SHIM_PATH_BYTES], name_room[SHIM_NAME_BYTES];
    jlong number[NUMBERS];
    jint setting[SETTINGS];
    (*env)->GetLongArrayRegion(env, numbers, 0, NUMBERS, number);
    (*env)->GetIntArrayRegion(env, settings, 0, SETTINGS, setting);
    struct connection *connection = connection_new(env, session);
    if (!connection) {
        return 0;
    }
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = text_copy(env, socket, socket_room, sizeof socket_room);
    options.name = text_copy(env, name, name_room, sizeof name_room);
    options.heap_bytes = (uint64_t)number[HEAP];
    options.max_bytes = (uint64_t)number[MAX_BYTES];
    options.max_physical_bytes = (uint64_t)number[MAX_PHYSICAL];
    options.cache_bytes = (uint64_t)number[CACHE];
    options.flags = (unsigned)setting[FLAGS];
    options.timeout_ms = (uint32_t)setting[TIMEOUT];
    options.max_retries = (uint32_t)setting[RETRIES];
    options.retry_wait_ms = (uint32_t)setting[RETRY_WAIT];
    options.wait_ms = (uint32_t)setting[WAIT];
    options.on_event = on_event;
    options.on_reclaim = on_reclaim;
    options.user_data = connection;
    int result = mb_connect(&options, &connection->client);
    if (result < 0) {
        connection_free(env, connection);
        failure_throw(env, result);
        return 0;
    }
    return (jlong)connection;
}

static void do_disconnect(JNIEnv *env, jclass class, jlong handle)
{
    (void)class;
    struct connection *connection = connection_of(handle);
    mb_disconnect(connection->client);
    connection_free(env, connection);
}

/* ---- small calls ---- */

static void ping(JNIEnv *env, jclass class, jlong handle)
{
    (void)class;
    (void)failure_check(env, mb_ping(connection_of(handle)->client));
}

static void wait_connected(JNIEnv *env, jclass class, jlong handle, jint milliseconds)
{
    (void)class;
    (void)failure_check(env, mb_wait_connected(connection_of(handle)->client, (uint32_t)milliseconds));
}

static void trim(JNIEnv *env, jclass class, jlong handle)
{
    (void)env, (void)class;
    mb_trim(connection_of(handle)->client);
}

static void cancel_waits(JNIEnv *env, jclass class, jlong handle)
{
    (void)env, (void)class;
    mb_cancel_waits(connection_of(handle)->client);
}

static jlong session_number(JNIEnv *env, jclass class, jlong handle)
{
    (void)env, (void)class;
    return (jlong)mb_client_session(connection_of(handle)->client);
}

static jint pressure(JNIEnv *env, jclass class, jlong handle)
{
    (void)env, (void)class;
    return (jint)mb_client_pressure(connection_of(handle)->client);
}

static jstring version(JNIEnv *env, jclass class)
{
    (void)class;
    return (*env)->NewStringUTF(env, mb_version());
}

static const struct native_method methods[] = {
    {"connect", "(Lio/membroker/Session;[B[B[J[I)J", (native_function *)do_connect},
    {"disconnect", "(J)V", (native_function *)do_disconnect},
    {"ping", "(J)V", (native_function *)ping},
    {"waitConnected", "(JI)V", (native_function *)wait_connected},
    {"trim", "(J)V", (native_function *)trim},
    {"cancelWaits", "(J)V", (native_function *)cancel_waits},
    {"sessionNumber", "(J)J", (native_function *)session_number},
    {"pressure", "(J)I", (native_function *)pressure},
    {"version", "()Ljava/lang/String;", (native_function *)version},
};

const struct method_table client_methods = {"io/membroker/NativeClient", methods, sizeof methods / sizeof *methods};
