/* SPDX-License-Identifier: Apache-2.0 */
/* What the library calls back, and whom that tells. */
#pragma once

#include <jni.h>
#include <membroker.h>

/* Tells an io.membroker.Session, by a weak reference: the collector must be able to end the session. */
struct listener {
    JavaVM *vm;
    jweak session;
    jmethodID on_event, on_reclaim;
};

int listener_init(struct listener *listener, JNIEnv *env, jobject session);
void listener_deinit(struct listener *listener, JNIEnv *env);

/* For mb_client_listen() and mb_client_add_reclaimer(); their user_data is the listener. */
void listener_on_event(const mb_event *event, void *user_data);
void listener_on_reclaim(const mb_reclaim *reclaim, void *user_data);
