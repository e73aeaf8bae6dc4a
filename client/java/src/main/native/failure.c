/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of libmembroker as exceptions. */
#include <errno.h>
#include <string.h>

#include "client/java/src/main/native/shim.h"

static jbyteArray bytes_of(JNIEnv *env, const char *text)
{
    jsize length = (jsize)strlen(text);
    jbyteArray bytes = (*env)->NewByteArray(env, length);
    if (bytes) {
        (*env)->SetByteArrayRegion(env, bytes, 0, length, (const jbyte *)text);
    }
    return bytes;
}

/* Classes are looked up when they are needed: a reference that is kept would keep their loader. */
void failure_throw(JNIEnv *env, int code)
{
    jbyteArray sentence = bytes_of(env, mb_last_error());
    jclass failures = sentence ? (*env)->FindClass(env, "io/membroker/Failures") : NULL;
    jmethodID make =
        failures ? (*env)->GetStaticMethodID(env, failures, "of", "(I[B)Ljava/lang/RuntimeException;") : NULL;
    jthrowable failure = make ? (*env)->CallStaticObjectMethod(env, failures, make, (jint)code, sentence) : NULL;
    if (failure && !(*env)->ExceptionCheck(env)) {
        (void)(*env)->Throw(env, failure);
    }
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
