/* SPDX-License-Identifier: Apache-2.0 */
/* What the library calls back, and whom that tells. */
#pragma once

#include <jni.h>
#include <membroker.h>
#include <stdatomic.h>

/* Tells an io.membroker.Session, by a weak reference: the collector must be able to end the session. */
struct listener {
    JavaVM *vm;
    jweak _Atomic session; /* NULL: nobody yet */
    jmethodID on_event, on_reclaim;
};

/* Fills in everything but the session. */
int listener_init(struct listener *listener, JNIEnv *env, jobject session);

/* From now on it tells this session. */
int listener_aim(struct listener *listener, JNIEnv *env, jobject session);

/* For mb_client_listen() and mb_client_options; their user_data is the listener. */
void listener_on_event(const mb_event *event, void *user_data);
void listener_on_reclaim(const mb_reclaim *reclaim, void *user_data);
