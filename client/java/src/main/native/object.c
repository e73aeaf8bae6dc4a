/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeObject. */
#include "client/java/src/main/native/shim.h"

/* Of data that are too many for the library only the number is read. */
static void put(JNIEnv *env, jclass class, jlong handle, jbyteArray name, jbyteArray data, jint lifetime, jint access,
                jint gid)
{
    (void)class;
    char room[SHIM_NAME_BYTES];
    jbyte bytes[MB_OBJECT_BYTES_MAX];
    jsize count = (*env)->GetArrayLength(env, data);
    if (count <= MB_OBJECT_BYTES_MAX) {
        (*env)->GetByteArrayRegion(env, data, 0, count, bytes);
    }
    mb_object_options options = MB_OBJECT_OPTIONS_INIT;
    options.lifetime = (mb_lifetime)lifetime;
    options.access = (mb_access)access;
    options.gid = (uint32_t)gid;
    (void)failure_check_block(env, mb_put(connection_of(handle)->client, text_copy(env, name, room, sizeof room), bytes,
                                          (size_t)count, &options));
}

static jbyteArray get(JNIEnv *env, jclass class, jlong handle, jlong owner, jbyteArray name)
{
    (void)class;
    char room[SHIM_NAME_BYTES], buffer[MB_OBJECT_BYTES_MAX];
    mb_client *client = connection_of(handle)->client;
    const char *text = text_copy(env, name, room, sizeof room);
    int result = owner == OWN_USER ? mb_get(client, text, buffer, sizeof buffer)
                                   : mb_get_from(client, (uint32_t)owner, text, buffer, sizeof buffer);
    return failure_check_block(env, result) < 0 ? NULL : bytes_new(env, buffer, (size_t)result);
}

static void remove_object(JNIEnv *env, jclass class, jlong handle, jbyteArray name)
{
    (void)class;
    char room[SHIM_NAME_BYTES];
    (void)failure_check_block(env, mb_remove(connection_of(handle)->client, text_copy(env, name, room, sizeof room)));
}

static const struct native_method methods[] = {
    {"put", "(J[B[BIII)V", (native_function *)put},
    {"get", "(JJ[B)[B", (native_function *)get},
    {"remove", "(J[B)V", (native_function *)remove_object},
};

const struct method_table object_methods = {"io/membroker/NativeObject", methods, sizeof methods / sizeof *methods};
