/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scrape that needs a collection is suspended until there is one: a thread for all connections is enough, whatever
 * the broker does. The number of connections is bounded, and so are the time and the memory of each.
 */
#include "client/exporter/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "client/exporter/collector.h"
#include "client/metrics/families.h"

enum { CONNECTIONS_MAX = 64, CONNECTION_BYTES = 16384, CONNECTION_SECONDS = 10 };

/* A request that is being served. */
struct visit {
    uint64_t arrived;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct MHD_Connection *waiting[CONNECTIONS_MAX];
static size_t waiting_count;

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                               struct MHD_Response *response)
{
    if (!response) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result respond_words(struct MHD_Connection *connection, unsigned status, const char *words)
{
    return respond(connection, status, "text/plain; charset=utf-8",
                   MHD_create_response_from_buffer(strlen(words), (void *)(uintptr_t)words, MHD_RESPMEM_PERSISTENT));
}

static enum exposition_format format_for(struct MHD_Connection *connection)
{
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    bool is_open = accept && strstr(accept, "application/openmetrics-text");
    return is_open ? EXPOSITION_OPENMETRICS : EXPOSITION_PROMETHEUS;
}

/* Under the lock, so that http_resume() finds it: the collection that it wants is not done before. */
static enum MHD_Result wait_for_collection(struct MHD_Connection *connection)
{
    enum MHD_Result result = MHD_NO;
    (void)pthread_mutex_lock(&lock);
    if (waiting_count < CONNECTIONS_MAX) {
        MHD_suspend_connection(connection);
        waiting[waiting_count++] = connection;
        result = MHD_YES;
    }
    (void)pthread_mutex_unlock(&lock);
    collector_want();
    return result;
}

static enum MHD_Result serve_metrics(struct MHD_Connection *connection, const struct visit *visit)
{
    size_t length;
    bool failed;
    enum exposition_format format = format_for(connection);
    char *answer = collector_answer(visit->arrived, format, &length, &failed);
    if (!answer) {
        return wait_for_collection(connection);
    }
    const char *type = failed ? "text/plain; charset=utf-8" : families_media_type(format);
    return respond(connection, failed ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, type,
                   MHD_create_response_from_buffer(length, answer, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result serve(void *data, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_bytes, void **visit)
{
    (void)data, (void)version, (void)upload, (void)upload_bytes;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return respond_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are served\n");
    }
    if (strcmp(url, "/") == 0) {
        return respond_words(connection, MHD_HTTP_OK, "membroker-exporter: metrics are at /metrics\n");
    }
    if (strcmp(url, "/metrics") != 0) {
        return respond_words(connection, MHD_HTTP_NOT_FOUND, "there is nothing but /metrics\n");
    }
    struct visit *own = *visit;
    if (!own) {
        *visit = own = calloc(1, sizeof *own);
        if (!own) {
            return MHD_NO;
        }
        own->arrived = collector_now();
    }
    return serve_metrics(connection, own);
}

static void end_visit(void *data, struct MHD_Connection *connection, void **visit, enum MHD_RequestTerminationCode why)
{
    (void)data, (void)connection, (void)why;
    free(*visit);
    *visit = NULL;
}

void http_resume(void)
{
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < waiting_count; i++) {
        MHD_resume_connection(waiting[i]);
    }
    waiting_count = 0;
    (void)pthread_mutex_unlock(&lock);
}

bool http_start(int listener)
{
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                            serve, NULL, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_COMPLETED,
                            end_visit, NULL, MHD_OPTION_END);
}
