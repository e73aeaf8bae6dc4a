/* SPDX-License-Identifier: Apache-2.0 */
/* Has Java end a thread's wait if the thread is interrupted: io.membroker.InterruptibleWait. */
#include "client/java/src/main/native/shim.h"

static JavaVM *machine;

/* NULL: a thread that Java does not know, which nobody interrupts. */
static JNIEnv *environment(void)
{
    JNIEnv *env;
    return (*machine)->GetEnv(machine, (void **)&env, JNI_VERSION_10) == JNI_OK ? env : NULL;
}

/* Java's class is that of the loader that called: this runs inside a native method. NULL: there is no memory for the
 * object, or another library's thread waits, so no interrupt ends the wait. */
static void *begun(mb_wait *wait, void *waits)
{
    JNIEnv *env = environment();
    if (!env) {
        return NULL;
    }
    jclass class = (*env)->FindClass(env, "io/membroker/InterruptibleWait");
    jmethodID begin =
        class ? (*env)->GetStaticMethodID(env, class, "begun",
                                          "(JLio/membroker/CancellableWaits;)Lio/membroker/InterruptibleWait;")
              : NULL;
    jobject interruptible =
        begin ? (*env)->CallStaticObjectMethod(env, class, begin, (jlong)wait, (jobject)waits) : NULL;
    (*env)->ExceptionClear(env);
    return interruptible;
}

static void ended(void *interruptible, void *waits)
{
    JNIEnv *env = environment();
    (void)waits;
    if (!env || !interruptible) {
        return;
    }
    jclass class = (*env)->GetObjectClass(env, interruptible);
    jmethodID end = (*env)->GetMethodID(env, class, "ended", "()V");
    if (end) {
        (*env)->CallVoidMethod(env, interruptible, end);
    }
    (*env)->ExceptionClear(env);
}

void interrupt_init(JavaVM *vm)
{
    machine = vm;
}

void interrupt_watch(void)
{
    static const mb_wait_watch watch = {.begun = begun, .ended = ended};
    (void)mb_watch_waits(&watch);
}

void interrupt_watch_with(jobject waits, mb_wait_watch *watch)
{
    *watch = (mb_wait_watch){.begun = begun, .ended = ended, .user_data = waits};
    (void)mb_watch_waits(watch);
}
