/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of libmembroker as exceptions. */
#include <errno.h>
#include <string.h>

#include "client/java/src/main/native/shim.h"

jbyteArray bytes_new(JNIEnv *env, const void *data, size_t count)
{
    jbyteArray bytes = (*env)->NewByteArray(env, (jsize)count);
    if (bytes) {
        (*env)->SetByteArrayRegion(env, bytes, 0, (jsize)count, data);
    }
    return bytes;
}

static jbyteArray bytes_of(JNIEnv *env, const char *text)
{
    return bytes_new(env, text, strlen(text));
}

static jlongArray longs_of(JNIEnv *env, const jlong *numbers, size_t count)
{
    jlongArray array = (*env)->NewLongArray(env, (jsize)count);
    if (array) {
        (*env)->SetLongArrayRegion(env, array, 0, (jsize)count, numbers);
    }
    return array;
}

static jobjectArray names_of(JNIEnv *env, const mb_refusal *refusal)
{
    jclass bytes = (*env)->FindClass(env, "[B");
    jobjectArray names = bytes ? (*env)->NewObjectArray(env, (jsize)refusal->holder_count, bytes, NULL) : NULL;
    for (unsigned i = 0; names && i < refusal->holder_count; i++) {
        jbyteArray name = bytes_of(env, refusal->holders[i].name);
        if (!name) {
            return NULL;
        }
        (*env)->SetObjectArrayElement(env, names, (jsize)i, name);
    }
    return names;
}

/* Of each holder: session, process, user, bytes. */
static jlongArray numbers_of(JNIEnv *env, const mb_refusal *refusal)
{
    enum { EACH = 4 };
    jlong numbers[MB_HOLDERS_MAX * EACH] = {0};
    for (unsigned i = 0; i < refusal->holder_count; i++) {
        const mb_holder *holder = &refusal->holders[i];
        jlong *of = &numbers[(size_t)EACH * i];
        of[0] = (jlong)holder->session;
        of[1] = holder->pid;
        of[2] = holder->uid;
        of[3] = (jlong)holder->bytes;
    }
    return longs_of(env, numbers, (size_t)EACH * refusal->holder_count);
}

static jlongArray figures_of(JNIEnv *env, const mb_refusal *refusal)
{
    const jlong figures[] = {(jlong)refusal->asked_bytes,    (jlong)refusal->limit_bytes,
                             (jlong)refusal->used_bytes,     (jlong)refusal->free_bytes,
                             (jlong)refusal->reserved_bytes, (jlong)refusal->claimed_bytes};
    return longs_of(env, figures, sizeof figures / sizeof *figures);
}

/* NULL: an exception is pending. */
static jobject make_refusal(JNIEnv *env, jclass failures, int code, jbyteArray sentence, const mb_refusal *refusal)
{
    jmethodID make =
        (*env)->GetStaticMethodID(env, failures, "refused", "(I[B[B[B[JZ[J[[B)Ljava/lang/RuntimeException;");
    jbyteArray limit = make ? bytes_of(env, refusal->limit) : NULL;
    jbyteArray whose = limit ? bytes_of(env, refusal->whose) : NULL;
    jlongArray figures = whose ? figures_of(env, refusal) : NULL;
    jlongArray numbers = figures ? numbers_of(env, refusal) : NULL;
    jobjectArray names = numbers ? names_of(env, refusal) : NULL;
    return names ? (*env)->CallStaticObjectMethod(env, failures, make, (jint)code, sentence, limit, whose, figures,
                                                  (jboolean)mb_refusal_may_fit_later(refusal), numbers, names)
                 : NULL;
}

static jobject make_plain(JNIEnv *env, jclass failures, const char *maker, int code, jbyteArray sentence)
{
    jmethodID make = (*env)->GetStaticMethodID(env, failures, maker, "(I[B)Ljava/lang/RuntimeException;");
    return make ? (*env)->CallStaticObjectMethod(env, failures, make, (jint)code, sentence) : NULL;
}

static jobject make_not_published(JNIEnv *env, jclass failures, int code, jbyteArray sentence)
{
    return make_plain(env, failures, "notPublished", code, sentence);
}

static jobject make_no_block(JNIEnv *env, jclass failures, int code, jbyteArray sentence)
{
    jint reason = (jint)mb_last_end_reason();
    jmethodID make = (*env)->GetStaticMethodID(env, failures, "noBlock", "(I[BI)Ljava/lang/RuntimeException;");
    return make ? (*env)->CallStaticObjectMethod(env, failures, make, (jint)code, sentence, reason) : NULL;
}

static jobject make_lost(JNIEnv *env, jclass failures, int code, jbyteArray sentence)
{
    jint reason = (jint)mb_last_end_reason();
    jlong lease = (jlong)mb_last_lost_lease();
    jmethodID make = (*env)->GetStaticMethodID(env, failures, "lost", "(I[BIJ)Ljava/lang/RuntimeException;");
    return make ? (*env)->CallStaticObjectMethod(env, failures, make, (jint)code, sentence, reason, lease) : NULL;
}

static jobject make_any(JNIEnv *env, jclass failures, int code, jbyteArray sentence)
{
    mb_refusal refusal = MB_REFUSAL_INIT;
    if (code == -ESTALE) {
        return make_lost(env, failures, code, sentence);
    }
    return mb_last_refusal(&refusal) == 0 ? make_refusal(env, failures, code, sentence, &refusal)
                                          : make_plain(env, failures, "of", code, sentence);
}

typedef jobject failure_maker(JNIEnv *env, jclass failures, int code, jbyteArray sentence);

/* Classes are looked up when they are needed: a reference that is kept would keep their loader. */
static void throw_made(JNIEnv *env, int code, failure_maker *maker)
{
    jbyteArray sentence = bytes_of(env, mb_last_error());
    jclass failures = sentence ? (*env)->FindClass(env, "io/membroker/Failures") : NULL;
    jthrowable failure = failures ? maker(env, failures, code, sentence) : NULL;
    if (failure && !(*env)->ExceptionCheck(env)) {
        (void)(*env)->Throw(env, failure);
    }
}

void failure_throw(JNIEnv *env, int code)
{
    throw_made(env, code, make_any);
}

void failure_throw_errno(JNIEnv *env)
{
    failure_throw(env, errno > 0 ? -errno : -EINVAL);
}

int failure_check(JNIEnv *env, int result)
{
    if (result < 0) {
        failure_throw(env, result);
    }
    return result;
}

int failure_check_block(JNIEnv *env, int result)
{
    if (result == -ENOENT || result == -ESTALE) {
        throw_made(env, result, make_no_block);
        return result;
    }
    return failure_check(env, result);
}

int failure_check_publication(JNIEnv *env, int result)
{
    if (result == -EEXIST || result == -EBUSY) {
        throw_made(env, result, make_not_published);
        return result;
    }
    return failure_check(env, result);
}

const char *text_copy(JNIEnv *env, jbyteArray bytes, char *room, size_t room_bytes)
{
    if (!bytes) {
        return NULL;
    }
    jsize length = (*env)->GetArrayLength(env, bytes);
    jsize fits = (size_t)length < room_bytes ? length : (jsize)room_bytes - 1;
    (*env)->GetByteArrayRegion(env, bytes, 0, fits, (jbyte *)room);
    room[fits] = '\0';
    return room;
}
