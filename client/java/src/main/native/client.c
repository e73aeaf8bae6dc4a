/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeClient: connecting, and the client's callbacks. */
#include <errno.h>
#include <stdlib.h>

#include "client/java/src/main/native/listener.h"
#include "client/java/src/main/native/shim.h"

/* ---- connecting ---- */

static int connect_own(mb_client_options *options, struct connection *connection)
{
    options->user_data = connection->listener;
    return mb_connect(options, &connection->client);
}

/* The options of all who share it are the same, and so is whom on_reclaim asks. The client may outlive this use of it.
 */
static int connect_shared(JNIEnv *env, jobject session, mb_client_options *options, struct connection *connection)
{
    static struct listener reclaimer;
    int result = listener_init(&reclaimer, env, session);
    options->user_data = &reclaimer;
    result = result == 0 ? mb_client_shared(options, &connection->client) : result;
    connection->is_shared = true;
    return result == 0 ? listener_aim(&reclaimer, env, session) : result;
}

/* The process shares a client with other options than ours. */
static int connect_any(struct connection *connection)
{
    connection->is_shared = true;
    return mb_client_shared(NULL, &connection->client);
}

static void leave_client(struct connection *connection)
{
    mb_listener_end(connection->heard);
    if (connection->is_shared) {
        mb_client_shared_release(connection->client);
    } else {
        mb_disconnect(connection->client);
    }
}

static void connection_free(JNIEnv *env, struct connection *connection)
{
    if (connection->listener) {
        jweak session = atomic_load(&connection->listener->session);
        if (session) {
            (*env)->DeleteWeakGlobalRef(env, session);
        }
        free(connection->listener);
    }
    free(connection);
}

/* numbers: heap, maxBytes, maxPhysicalBytes, cacheBytes; settings: flags, timeout, retries, their pause, wait */
enum { HEAP, MAX_BYTES, MAX_PHYSICAL, CACHE, NUMBERS };
enum { FLAGS, TIMEOUT, RETRIES, RETRY_WAIT, WAIT, SHARING, SETTINGS };
enum { OWN, SHARED, SHARED_WITH_ANY_OPTIONS };

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
    options->max_retries = (uint32_t)setting[RETRIES];
    options->retry_wait_ms = (uint32_t)setting[RETRY_WAIT];
    options->wait_ms = (uint32_t)setting[WAIT];
    options->on_reclaim = listener_on_reclaim;
}

static int connect_so(JNIEnv *env, jobject session, mb_client_options *options, jint sharing,
                      struct connection *connection)
{
    return sharing == OWN      ? connect_own(options, connection)
           : sharing == SHARED ? connect_shared(env, session, options, connection)
                               : connect_any(connection);
}

/* Whoever chose the client's options, each session has a listener of its own. */
static int connect_and_listen(JNIEnv *env, jobject session, mb_client_options *options, jint sharing,
                              struct connection *connection)
{
    struct listener *listener = connection->listener = calloc(1, sizeof *connection->listener);
    int result = listener ? listener_init(listener, env, session) : -ENOMEM;
    result = result == 0 ? listener_aim(listener, env, session) : result;
    result = result == 0 ? connect_so(env, session, options, sharing, connection) : result;
    if (result == 0) {
        result = mb_client_listen(connection->client, listener_on_event, listener, &connection->heard);
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
    int result = connection ? connect_and_listen(env, session, &options, setting[SHARING], connection) : -ENOMEM;
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
