/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closes the workspaces of a Java thread that ends. The library does so when the thread of the machine ends, but that
 * may go on: as the one of main() does, or one that another library attaches to the JVM and detaches from it.
 */
#include <jvmti.h>
#include <stdatomic.h>
#include <stddef.h>

#include "client/java/src/main/native/shim.h"

static void JNICALL on_thread_end(jvmtiEnv *jvmti, JNIEnv *env, jthread thread)
{
    (void)jvmti, (void)env, (void)thread;
    mb_workspace_close_all();
}

/* A JVM that has no such events ends the workspaces with the thread of the machine. */
void thread_end_watch(JNIEnv *env)
{
    static atomic_flag is_watched = ATOMIC_FLAG_INIT;
    const jvmtiEventCallbacks callbacks = {.ThreadEnd = on_thread_end};
    JavaVM *vm;
    jvmtiEnv *jvmti;
    if (!atomic_flag_test_and_set(&is_watched) && (*env)->GetJavaVM(env, &vm) == JNI_OK &&
        (*vm)->GetEnv(vm, (void **)&jvmti, JVMTI_VERSION_11) == JNI_OK) {
        (void)(*jvmti)->SetEventCallbacks(jvmti, &callbacks, sizeof callbacks);
        (void)(*jvmti)->SetEventNotificationMode(jvmti, JVMTI_ENABLE, JVMTI_EVENT_THREAD_END, NULL);
    }
}
