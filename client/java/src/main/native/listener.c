/* SPDX-License-Identifier: Apache-2.0 */
/* Passes the library's callbacks to Java. */
#include "client/java/src/main/native/listener.h"

#include <stdlib.h>
#include <time.h>

struct listener *listener_new(JNIEnv *env, jobject session)
{
    struct listener *listener = calloc(1, sizeof *listener);
    jclass class = (*env)->GetObjectClass(env, session);
    if (!listener) {
        return NULL;
    }
    listener->users = 1;
    (void)pthread_mutex_init(&listener->lock, NULL);
    listener->on_event = (*env)->GetMethodID(env, class, "onEvent", "(IJIJJ)V");
    listener->on_reclaim = listener->on_event ? (*env)->GetMethodID(env, class, "onReclaim", "(JI)V") : NULL;
    listener->session = listener->on_reclaim ? (*env)->NewWeakGlobalRef(env, session) : NULL;
    if (listener->session && (*env)->GetJavaVM(env, &listener->vm) == JNI_OK) {
        return listener;
    }
    listener_end(listener, env);
    return NULL;
}

static void drop(struct listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock);
    bool is_last = --listener->users == 0;
    (void)pthread_mutex_unlock(&listener->lock);
    if (is_last) {
        (void)pthread_mutex_destroy(&listener->lock);
        free(listener);
    }
}

void listener_end(struct listener *listener, JNIEnv *env)
{
    if (!listener) {
        return;
    }
    (void)pthread_mutex_lock(&listener->lock);
    if (listener->session) {
        (*env)->DeleteWeakGlobalRef(env, listener->session);
        listener->session = NULL;
    }
    (void)pthread_mutex_unlock(&listener->lock);
    drop(listener);
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

/* No exception may pass through the library's frames. Returns whether there was none. */
static bool swallow(JNIEnv *env)
{
    bool is_fine = !(*env)->ExceptionCheck(env);
    if (!is_fine) {
        (*env)->ExceptionDescribe(env);
        (*env)->ExceptionClear(env);
    }
    return is_fine;
}

static bool tell_attached(JNIEnv *env, jweak session, jmethodID method, const jvalue *arguments)
{
    jobject target = (*env)->NewLocalRef(env, session);
    if (target) { /* else it was collected, or there was no memory for the reference */
        (*env)->CallVoidMethodA(env, target, method, arguments);
        (*env)->DeleteLocalRef(env, target);
    }
    return swallow(env);
}

/* Returns whether the session knows now. If the heap is full, it does not. */
static bool tell(const struct listener *listener, jmethodID method, const jvalue *arguments)
{
    bool is_new;
    JNIEnv *env = attach(listener->vm, &is_new);
    bool is_told = env && tell_attached(env, listener->session, method, arguments);
    if (env && is_new) {
        (void)(*listener->vm)->DetachCurrentThread(listener->vm);
    }
    return is_told;
}

static bool tell_of_event(const struct listener *listener, const mb_event *event)
{
    const jvalue arguments[] = {{.i = (jint)event->type},
                                {.j = (jlong)event->lease},
                                {.i = (jint)event->reason},
                                {.j = (jlong)event->milliseconds},
                                {.j = (jlong)event->bytes}};
    return tell(listener, listener->on_event, arguments);
}

/* ---- a loss that the session could not be told of ---- */

enum { AGAIN_MS = 20 };

/* Returns whether to try again. */
static bool try_again(struct listener *listener)
{
    const mb_event loss = {.type = MB_EVENT_LEASE_LOST};
    (void)pthread_mutex_lock(&listener->lock);
    listener->is_telling = listener->session && !tell_of_event(listener, &loss);
    bool is_telling = listener->is_telling;
    (void)pthread_mutex_unlock(&listener->lock);
    return is_telling;
}

static void *tell_later(void *argument)
{
    const struct timespec pause = {0, AGAIN_MS * 1000000L};
    do {
        (void)nanosleep(&pause, NULL);
    } while (try_again(argument));
    drop(argument);
    return NULL;
}

/* In a thread of its own: the library's renews the leases. */
static void begin_telling(struct listener *listener)
{
    pthread_t thread;
    (void)pthread_mutex_lock(&listener->lock);
    if (!listener->is_telling && pthread_create(&thread, NULL, tell_later, listener) == 0) {
        (void)pthread_detach(thread);
        listener->is_telling = true;
        listener->users++;
    }
    (void)pthread_mutex_unlock(&listener->lock);
}

/* ---- the library's callbacks ---- */

/* Of the other events a session need not know. */
void listener_on_event(const mb_event *event, void *user_data)
{
    struct listener *listener = user_data;
    bool is_loss = event->type == MB_EVENT_LEASE_LOST || event->type == MB_EVENT_NEW_SESSION;
    if (is_loss && !tell_of_event(listener, event)) {
        begin_telling(listener);
    }
}

/* In the thread that allocates: one of Java's, or of another library that shares the client. */
void listener_on_reclaim(const mb_reclaim *reclaim, void *user_data)
{
    const struct listener *listener = user_data;
    const jvalue arguments[] = {{.j = (jlong)reclaim->wanted_bytes}, {.i = (jint)reclaim->attempt}};
    (void)tell(listener, listener->on_reclaim, arguments);
}
