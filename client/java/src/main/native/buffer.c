/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeBuffer. */
#include "client/java/src/main/native/shim.h"

static mb_buffer *buffer_of(jlong handle)
{
    return (mb_buffer *)handle; // NOLINT(performance-no-int-to-ptr)
}

static jlong create(JNIEnv *env, jclass class, jlong handle, jlong bytes, jbyteArray name, jint location, jint flags,
                    jlong alignment)
{
    (void)class;
    char name_room[SHIM_NAME_BYTES];
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    options.name = text_copy(env, name, name_room, sizeof name_room);
    options.location = (mb_location)location;
    options.flags = (unsigned)flags;
    options.alignment = (size_t)alignment;
    mb_buffer *buffer = NULL;
    interrupt_watch();
    (void)failure_check(env, mb_buffer_create(connection_of(handle)->client, (size_t)bytes, &options, &buffer));
    return (jlong)buffer;
}

static jlong data(JNIEnv *env, jclass class, jlong buffer)
{
    (void)env, (void)class;
    return (jlong)mb_buffer_data(buffer_of(buffer));
}

static void unref(JNIEnv *env, jclass class, jlong buffer)
{
    (void)env, (void)class;
    (void)mb_buffer_unref(buffer_of(buffer));
}

static void check(JNIEnv *env, jclass class, jlong buffer)
{
    (void)class;
    (void)failure_check(env, mb_buffer_check(buffer_of(buffer)));
}

static jint location(JNIEnv *env, jclass class, jlong buffer)
{
    (void)env, (void)class;
    return (jint)mb_buffer_location(buffer_of(buffer));
}

static const struct native_method methods[] = {
    {"create", "(JJ[BIIJ)J", (native_function *)create}, {"data", "(J)J", (native_function *)data},
    {"unref", "(J)V", (native_function *)unref},         {"check", "(J)V", (native_function *)check},
    {"location", "(J)I", (native_function *)location},
};

const struct method_table buffer_methods = {"io/membroker/NativeBuffer", methods, sizeof methods / sizeof *methods};
