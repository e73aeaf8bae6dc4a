/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeBlockWatch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/java/src/main/native/shim.h"

struct watch {
    mb_block_watch *watch;
    const mb_block_change *change; /* that Java has no object for yet; NULL: none */
};

static struct watch *watch_of(jlong handle)
{
    return (struct watch *)handle; // NOLINT(performance-no-int-to-ptr)
}

static jlong begin(JNIEnv *env, jclass class, jlong handle, jlong owner, jbyteArray prefix)
{
    (void)class;
    char room[SHIM_NAME_BYTES];
    mb_client *client = connection_of(handle)->client;
    const char *text = text_copy(env, prefix, room, sizeof room);
    struct watch *watch = calloc(1, sizeof *watch);
    int result = !watch              ? -ENOMEM
                 : owner == OWN_USER ? mb_watch_blocks(client, text, &watch->watch)
                                     : mb_watch_blocks_of(client, (uint32_t)owner, text, &watch->watch);
    if (failure_check(env, result) < 0) {
        free(watch);
        return 0;
    }
    return (jlong)watch;
}

/* NULL: an exception is pending, and the change stays for the next call. */
static jobject give(JNIEnv *env, struct watch *watch)
{
    const mb_block_change *change = watch->change;
    jclass class = (*env)->FindClass(env, "io/membroker/BlockChange");
    jmethodID make = class ? (*env)->GetStaticMethodID(env, class, "of", "(ZJ[B[BJI)Lio/membroker/BlockChange;") : NULL;
    jbyteArray name = make ? bytes_new(env, change->name, strlen(change->name)) : NULL;
    jbyteArray type = name ? bytes_new(env, change->block_type, strlen(change->block_type)) : NULL;
    jobject given = type ? (*env)->CallStaticObjectMethod(env, class, make, (jboolean)(change->type == MB_BLOCK_ENDED),
                                                          (jlong)change->number, name, type, (jlong)change->bytes,
                                                          (jint)change->reason)
                         : NULL;
    if ((*env)->ExceptionCheck(env)) {
        return NULL;
    }
    watch->change = NULL;
    return given;
}

static jobject next(JNIEnv *env, jclass class, jlong handle, jint wait_ms, jobject waits)
{
    (void)class;
    struct watch *watch = watch_of(handle);
    mb_wait_watch cancellable;
    int result = 0;
    if (!watch->change) {
        interrupt_watch_with(waits, &cancellable);
        result = failure_check(env, mb_block_watch_next(watch->watch, (uint32_t)wait_ms, &watch->change));
        interrupt_watch();
    }
    return result < 0 || !watch->change ? NULL : give(env, watch);
}

static void end(JNIEnv *env, jclass class, jlong handle)
{
    (void)env, (void)class;
    struct watch *watch = watch_of(handle);
    mb_block_watch_end(watch->watch);
    free(watch);
}

static const struct native_method methods[] = {
    {"begin", "(JJ[B)J", (native_function *)begin},
    {"next", "(JILio/membroker/CancellableWaits;)Lio/membroker/BlockChange;", (native_function *)next},
    {"end", "(J)V", (native_function *)end},
};

const struct method_table block_watch_methods = {"io/membroker/NativeBlockWatch", methods,
                                                 sizeof methods / sizeof *methods};
