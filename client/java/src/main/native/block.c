/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeBlock. */
#include <string.h>

#include "client/java/src/main/native/shim.h"

enum {
    LIFETIME,
    KEEP,
    ACCESS,
    GID,
    REPLACE,
    WAIT,
    TTL,
    HUGE_PAGES,
    NUMA_NODE,
    INTERLEAVE,
    PREFAULT,
    LOCATION,
    SETTINGS
};
enum { LEASE, ADDRESS, BYTES, NUMBER, PROPERTIES };

static mb_block *block_of(jlong handle)
{
    return (mb_block *)handle; // NOLINT(performance-no-int-to-ptr)
}

static mb_view *view_of(jlong handle)
{
    return (mb_view *)handle; // NOLINT(performance-no-int-to-ptr)
}

static jlongArray properties(JNIEnv *env, const jlong *of)
{
    jlongArray array = (*env)->NewLongArray(env, PROPERTIES);
    if (array) {
        (*env)->SetLongArrayRegion(env, array, 0, PROPERTIES, of);
    }
    return array;
}

/* ---- the publisher ---- */

static void take_settings(JNIEnv *env, jintArray settings, mb_block_options *options)
{
    jint setting[SETTINGS];
    (*env)->GetIntArrayRegion(env, settings, 0, SETTINGS, setting);
    options->lifetime = (mb_lifetime)setting[LIFETIME];
    options->keep_ms = (uint32_t)setting[KEEP];
    options->access = (mb_access)setting[ACCESS];
    options->gid = (uint32_t)setting[GID];
    options->replace = setting[REPLACE];
    options->wait_ms = (uint32_t)setting[WAIT];
    options->ttl_ms = (uint32_t)setting[TTL];
    options->huge_pages = (mb_huge_pages)setting[HUGE_PAGES];
    options->numa_node = setting[NUMA_NODE];
    options->interleave = setting[INTERLEAVE];
    options->prefault = setting[PREFAULT];
    options->location = (mb_location)setting[LOCATION];
}

/* Of metadata that are too many for the library only the number is read. */
static jlong create(JNIEnv *env, jclass class, jlong handle, jlong bytes, jbyteArray type, jbyteArray metadata,
                    jintArray settings)
{
    (void)class;
    char type_room[SHIM_NAME_BYTES];
    jbyte metadata_room[MB_BLOCK_METADATA_MAX];
    jsize count = (*env)->GetArrayLength(env, metadata);
    if (count <= MB_BLOCK_METADATA_MAX) {
        (*env)->GetByteArrayRegion(env, metadata, 0, count, metadata_room);
    }
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    take_settings(env, settings, &options);
    options.type = text_copy(env, type, type_room, sizeof type_room);
    options.metadata = metadata_room;
    options.metadata_bytes = (size_t)count;
    mb_block *block = NULL;
    interrupt_watch();
    (void)failure_check(env, mb_block_create(connection_of(handle)->client, (uint64_t)bytes, &options, &block));
    return (jlong)block;
}

static void publish(JNIEnv *env, jclass class, jlong block, jbyteArray name)
{
    (void)class;
    char room[SHIM_NAME_BYTES];
    (void)failure_check_publication(
        env, mb_block_publish_to_zeros(block_of(block), text_copy(env, name, room, sizeof room)));
}

static jlongArray look(JNIEnv *env, jclass class, jlong handle)
{
    (void)class;
    const mb_block *block = block_of(handle);
    const jlong of[PROPERTIES] = {[LEASE] = (jlong)mb_block_lease(block),
                                  [ADDRESS] = (jlong)mb_block_data(block),
                                  [BYTES] = (jlong)mb_block_bytes(block)};
    return properties(env, of);
}

static void unpublish(JNIEnv *env, jclass class, jlong handle, jbyteArray name)
{
    (void)class;
    char room[SHIM_NAME_BYTES];
    (void)failure_check_block(env,
                              mb_unpublish(connection_of(handle)->client, text_copy(env, name, room, sizeof room)));
}

/* ---- a list ---- */

struct listing {
    JNIEnv *env;
    jobject list;
    jclass class;
    jmethodID add;
};

static jlongArray numbers_of(JNIEnv *env, const mb_block_info *info)
{
    const jlong of[] = {(jlong)info->number, (jlong)info->bytes,  info->views,
                        info->lifetime,      info->access,        info->owner,
                        info->gid,           (jlong)info->age_ms, (jlong)info->keep_ms /* no time: negative */,
                        info->ended,         info->location};
    jlongArray array = (*env)->NewLongArray(env, sizeof of / sizeof *of);
    if (array) {
        (*env)->SetLongArrayRegion(env, array, 0, sizeof of / sizeof *of, of);
    }
    return array;
}

/* 1: an exception is pending. */
static int add_to_list(const mb_block_info *info, void *data)
{
    const struct listing *listing = data;
    JNIEnv *env = listing->env;
    if ((*env)->PushLocalFrame(env, 8) < 0) {
        return 1;
    }
    jlongArray numbers = numbers_of(env, info);
    jbyteArray name = numbers ? bytes_new(env, info->name, strlen(info->name)) : NULL;
    jbyteArray type_of = name ? bytes_new(env, info->type, strlen(info->type)) : NULL;
    if (type_of) {
        (*env)->CallStaticVoidMethod(env, listing->class, listing->add, listing->list, numbers, name, type_of);
    }
    int result = (*env)->ExceptionCheck(env) ? 1 : 0;
    (void)(*env)->PopLocalFrame(env, NULL);
    return result;
}

static void list_blocks(JNIEnv *env, jclass class, jlong handle, jobject list)
{
    (void)class;
    struct listing listing = {.env = env, .list = list, .class = (*env)->FindClass(env, "io/membroker/BlockInfo")};
    if (listing.class) {
        listing.add = (*env)->GetStaticMethodID(env, listing.class, "add", "(Ljava/util/List;[J[B[B)V");
    }
    if (listing.add) {
        (void)failure_check(env, mb_list_blocks(connection_of(handle)->client, add_to_list, &listing));
    }
}

/* ---- readers ---- */

static jlong attach(JNIEnv *env, jclass class, jlong handle, jlong owner, jbyteArray name, jint wait)
{
    (void)class;
    char room[SHIM_NAME_BYTES];
    mb_client *client = connection_of(handle)->client;
    const char *text = text_copy(env, name, room, sizeof room);
    mb_view *view = NULL;
    interrupt_watch();
    int result = owner == OWN_USER ? mb_attach(client, text, (uint32_t)wait, &view)
                                   : mb_attach_from(client, (uint32_t)owner, text, (uint32_t)wait, &view);
    (void)failure_check_block(env, result);
    return (jlong)view;
}

static jlongArray look_at_view(JNIEnv *env, jclass class, jlong handle)
{
    (void)class;
    const mb_view *view = view_of(handle);
    uint64_t bytes;
    const void *address = mb_view_data(view, &bytes);
    const jlong of[PROPERTIES] = {[LEASE] = (jlong)mb_view_lease(view),
                                  [ADDRESS] = (jlong)address,
                                  [BYTES] = (jlong)bytes,
                                  [NUMBER] = (jlong)mb_view_number(view)};
    return properties(env, of);
}

static jbyteArray type(JNIEnv *env, jclass class, jlong view)
{
    (void)class;
    const char *text = mb_view_type(view_of(view));
    return bytes_new(env, text, strlen(text));
}

static jbyteArray metadata(JNIEnv *env, jclass class, jlong view)
{
    (void)class;
    size_t count;
    const void *data = mb_view_metadata(view_of(view), &count);
    return bytes_new(env, data, count);
}

static const struct native_method methods[] = {
    {"create", "(JJ[B[B[I)J", (native_function *)create},
    {"publish", "(J[B)V", (native_function *)publish},
    {"look", "(J)[J", (native_function *)look},
    {"unpublish", "(J[B)V", (native_function *)unpublish},
    {"list", "(JLjava/util/List;)V", (native_function *)list_blocks},
    {"attach", "(JJ[BI)J", (native_function *)attach},
    {"lookAtView", "(J)[J", (native_function *)look_at_view},
    {"type", "(J)[B", (native_function *)type},
    {"metadata", "(J)[B", (native_function *)metadata},
};

const struct method_table block_methods = {"io/membroker/NativeBlock", methods, sizeof methods / sizeof *methods};
