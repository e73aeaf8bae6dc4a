/* SPDX-License-Identifier: Apache-2.0 */
/* Binds the native methods when the JVM loads the shim. */
#include <string.h>

#include "client/java/src/main/native/shim.h"
#include "proto/base/without_const.h"

/* JNI's structure has no const, and an object's pointer for a function. */
static JNINativeMethod method_of(const struct native_method *native)
{
    JNINativeMethod method = {without_const(native->name), without_const(native->signature), NULL};
    _Static_assert(sizeof method.fnPtr == sizeof native->function, "a function's address fits a pointer");
    memcpy(&method.fnPtr, &native->function, sizeof method.fnPtr);
    return method;
}

static int bind(JNIEnv *env, const struct method_table *table)
{
    jclass class = (*env)->FindClass(env, table->class_name);
    for (size_t i = 0; class && i < table->count; i++) {
        JNINativeMethod method = method_of(&table->methods[i]);
        if ((*env)->RegisterNatives(env, class, &method, 1) != JNI_OK) {
            return -1;
        }
    }
    return class ? 0 : -1;
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved)
{
    static const struct method_table *const tables[] = {&block_methods,  &block_watch_methods, &buffer_methods,
                                                        &client_methods, &lease_methods,       &memory_methods,
                                                        &object_methods, &workspace_methods};
    (void)reserved;
    JNIEnv *env;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_10) != JNI_OK) {
        return JNI_ERR;
    }
    interrupt_init(vm);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (bind(env, tables[i]) < 0) {
            return JNI_ERR;
        }
    }
    return JNI_VERSION_10;
}
