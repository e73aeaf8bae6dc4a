/* SPDX-License-Identifier: Apache-2.0 */
/* What the library calls back, and whom that tells. */
#pragma once

#include <jni.h>
#include <membroker.h>
#include <pthread.h>
#include <stdbool.h>

/* Tells an io.membroker.Session, by a weak reference: the collector must be able to end the session. */
struct listener {
    JavaVM *vm;
    jweak session; /* NULL: it has ended */
    jmethodID on_event, on_reclaim;
    pthread_mutex_t lock;
    bool is_telling; /* a thread tries to tell of a loss */
    unsigned users;  /* the connection, and that thread */
};

/* NULL: an error. */
struct listener *listener_new(JNIEnv *env, jobject session);

/* Frees the listener, now or when the thread that it may have notices. NULL is allowed. */
void listener_end(struct listener *listener, JNIEnv *env);

/* For mb_client_listen() and mb_client_add_reclaimer(); their user_data is the listener. */
void listener_on_event(const mb_event *event, void *user_data);
void listener_on_reclaim(const mb_reclaim *reclaim, void *user_data);
