/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeClient: connecting, and the client's callbacks. */
#include <errno.h>
#include <stdlib.h>

#include "client/java/src/main/native/listener.h"
#include "client/java/src/main/native/shim.h"

/* numbers: heap, maxBytes, maxPhysicalBytes, cacheBytes; settings: flags, timeout, retries, their pause, wait */
enum { HEAP, MAX_BYTES, MAX_PHYSICAL, CACHE, NUMBERS };
enum { FLAGS, TIMEOUT, RETRIES, RETRY_WAIT, WAIT, SHARING, SETTINGS };
enum { OWN, SHARED, SHARED_WITH_ANY_OPTIONS };

/* ---- connecting ---- */

/* Without callbacks in the options, those of two class loaders can be the same. */
static int connect_so(const mb_client_options *options, jint sharing, struct connection *connection)
{
    if (sharing == OWN) {
        return mb_connect(options, &connection->client);
    }
    connection->is_shared = true;
    return mb_client_shared(sharing == SHARED_WITH_ANY_OPTIONS ? NULL : options, &connection->client);
}

static void leave_client(struct connection *connection)
{
    mb_reclaimer_end(connection->asked);
    mb_listener_end(connection->heard);
    if (connection->is_shared) {
        mb_client_shared_release(connection->client);
    } else {
        mb_disconnect(connection->client);
    }
}

static void connection_free(JNIEnv *env, struct connection *connection)
{
    listener_end(connection->listener, env);
    free(connection);
}

static void take_options(JNIEnv *env, jlongArray numbers, const jint *setting, mb_client_options *options)
{
    jlong number[NUMBERS];
    (*env)->GetLongArrayRegion(env, numbers, 0, NUMBERS, number);
    options->heap_bytes = (uint64_t)number[HEAP];
    options->max_bytes = (uint64_t)number[MAX_BYTES];
    options->max_physical_bytes = (uint64_t)number[MAX_PHYSICAL];
    options->cache_bytes = (uint64_t)number[CACHE];
    options->flags = (unsigned)setting[FLAGS];
    options->timeout_ms = (uint32_t)setting[TIMEOUT];
    options->wait_ms = (uint32_t)setting[WAIT];
}

/* Whoever chose the client's options, each session is told of its events and asked to collect garbage. */
static int connect_and_listen(JNIEnv *env, jobject session, const mb_client_options *options, const jint *setting,
                              struct connection *connection)
{
    struct listener *listener = connection->listener = listener_new(env, session);
    int result = listener ? connect_so(options, setting[SHARING], connection) : -ENOMEM;
    if (result == 0) {
        result = mb_client_listen(connection->client, listener_on_event, listener, &connection->heard);
    }
    if (result == 0) {
        result = mb_client_add_reclaimer(connection->client, listener_on_reclaim, listener, (uint32_t)setting[RETRIES],
                                         (uint32_t)setting[RETRY_WAIT], &connection->asked);
    }
    return result;
}

static jlong do_connect(JNIEnv *env, jclass class, jobject session, jbyteArray socket, jbyteArray name,
                        jlongArray numbers, jintArray settings)
{
    (void)class;
    char socket_room[SHIM_PATH_BYTES], name_room[SHIM_NAME_BYTES];
    jint setting[SETTINGS];
    (*env)->GetIntArrayRegion(env, settings, 0, SETTINGS, setting);
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = text_copy(env, socket, socket_room, sizeof socket_room);
    options.name = text_copy(env, name, name_room, sizeof name_room);
    take_options(env, numbers, setting, &options);
    struct connection *connection = calloc(1, sizeof *connection);
    int result = connection ? connect_and_listen(env, session, &options, setting, connection) : -ENOMEM;
    if (result < 0) {
        failure_throw(env, result);
        if (connection) {
            leave_client(connection);
            connection_free(env, connection);
        }
        return 0;
    }
    return (jlong)connection;
}

static void do_disconnect(JNIEnv *env, jclass class, jlong handle)
{
    (void)class;
    struct connection *connection = connection_of(handle);
    leave_client(connection);
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
    interrupt_watch();
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

static void cancel_wait(JNIEnv *env, jclass class, jlong wait)
{
    (void)env, (void)class;
    mb_wait_cancel((mb_wait *)wait); // NOLINT(performance-no-int-to-ptr)
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
    {"cancelWait", "(J)V", (native_function *)cancel_wait},
    {"sessionNumber", "(J)J", (native_function *)session_number},
    {"pressure", "(J)I", (native_function *)pressure},
    {"version", "()Ljava/lang/String;", (native_function *)version},
};

const struct method_table client_methods = {"io/membroker/NativeClient", methods, sizeof methods / sizeof *methods};
