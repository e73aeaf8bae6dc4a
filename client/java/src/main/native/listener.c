/* SPDX-License-Identifier: Apache-2.0 */
/* Passes the library's callbacks to Java. */
#include "client/java/src/main/native/listener.h"

#include <errno.h>
#include <stdbool.h>

int listener_init(struct listener *listener, JNIEnv *env, jobject session)
{
    jclass class = (*env)->GetObjectClass(env, session);
    listener->on_event = (*env)->GetMethodID(env, class, "onEvent", "(IJIJJ)V");
    listener->on_reclaim = listener->on_event ? (*env)->GetMethodID(env, class, "onReclaim", "(JI)V") : NULL;
    listener->session = listener->on_reclaim ? (*env)->NewWeakGlobalRef(env, session) : NULL;
    return listener->session && (*env)->GetJavaVM(env, &listener->vm) == JNI_OK ? 0 : -ENOMEM;
}

void listener_deinit(struct listener *listener, JNIEnv *env)
{
    if (listener->session) {
        (*env)->DeleteWeakGlobalRef(env, listener->session);
    }
}

/* The thread's environment; a thread that the JVM does not know is attached for the time of the callback. */
static JNIEnv *attach(JavaVM *vm, bool *ret_is_new)
{
    JNIEnv *env;
    char name[] = "membroker";
    JavaVMAttachArgs arguments = {JNI_VERSION_10, name, NULL};
    *ret_is_new = false;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_10) == JNI_OK) {
        return env;
    }
    *ret_is_new = true;
    return (*vm)->AttachCurrentThreadAsDaemon(vm, (void **)&env, &arguments) == JNI_OK ? env : NULL;
}

/* No exception may pass through the library's frames. */
static void swallow(JNIEnv *env)
{
    if ((*env)->ExceptionCheck(env)) {
        (*env)->ExceptionDescribe(env);
        (*env)->ExceptionClear(env);
    }
}

static void tell(JNIEnv *env, jweak session, jmethodID method, const jvalue *arguments)
{
    jobject target = (*env)->NewLocalRef(env, session);
    if (target) { /* else it was collected */
        (*env)->CallVoidMethodA(env, target, method, arguments);
        swallow(env);
        (*env)->DeleteLocalRef(env, target);
    }
}

void listener_on_event(const mb_event *event, void *user_data)
{
    const struct listener *listener = user_data;
    bool is_new;
    JNIEnv *env = attach(listener->vm, &is_new);
    if (!env) {
        return;
    }
    const jvalue arguments[] = {{.i = (jint)event->type},
                                {.j = (jlong)event->lease},
                                {.i = (jint)event->reason},
                                {.j = (jlong)event->milliseconds},
                                {.j = (jlong)event->bytes}};
    tell(env, listener->session, listener->on_event, arguments);
    if (is_new) {
        (void)(*listener->vm)->DetachCurrentThread(listener->vm);
    }
}

/* In the thread that allocates: one of Java's, or of another library that shares the client. */
void listener_on_reclaim(const mb_reclaim *reclaim, void *user_data)
{
    const struct listener *listener = user_data;
    bool is_new;
    JNIEnv *env = attach(listener->vm, &is_new);
    if (!env) {
        return;
    }
    const jvalue arguments[] = {{.j = (jlong)reclaim->wanted_bytes}, {.i = (jint)reclaim->attempt}};
    tell(env, listener->session, listener->on_reclaim, arguments);
    if (is_new) {
        (void)(*listener->vm)->DetachCurrentThread(listener->vm);
    }
}
