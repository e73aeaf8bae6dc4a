/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's shell: a libuv loop around the broker's core. It is made of parts, each with its own state in its own
 * header. All of it runs on the loop's thread; a few jobs run on libuv's threads, and they touch nothing of it.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "daemon/config/config.h"
#include "daemon/core/broker.h"
#include "daemon/runtime/boards.h"
#include "daemon/runtime/buffers.h"
#include "daemon/runtime/clients.h"
#include "daemon/runtime/control_return.h"
#include "daemon/runtime/control_store.h"
#include "daemon/runtime/descriptors.h"
#include "daemon/runtime/executor.h"
#include "daemon/runtime/fdstore.h"
#include "daemon/runtime/figures.h"
#include "daemon/runtime/frozen.h"
#include "daemon/runtime/history.h"
#include "daemon/runtime/host_view.h"
#include "daemon/runtime/integrity_scan.h"
#include "daemon/runtime/kept_reservations.h"
#include "daemon/runtime/listener.h"
#include "daemon/runtime/outbox.h"
#include "daemon/runtime/pressure.h"
#include "daemon/runtime/reload.h"
#include "daemon/runtime/remembered.h"
#include "daemon/runtime/schedule.h"
#include "daemon/runtime/scheduler.h"
#include "daemon/runtime/segments.h"
#include "daemon/runtime/service_clock.h"
#include "daemon/runtime/shutdown.h"
#include "daemon/runtime/stock.h"
#include "daemon/runtime/survivors.h"
#include "daemon/runtime/workers.h"

struct server {
    uv_loop_t loop;
    struct schedule schedule;
    struct service_clock clock;
    struct config *config;
    struct reload reload;
    struct broker *broker;
    struct executor executor;
    struct listener listener;
    struct clients clients;
    struct scheduler scheduler;
    struct buffers buffers;
    struct outboxes outboxes;
    struct control_store control_store;
    struct control_return control_return;
    struct boards boards;
    struct descriptor_uses descriptors;
    struct segments segments;
    struct stock stock;
    struct workers workers;
    struct integrity_scan integrity_scan;
    struct host_view host_view;
    struct pressure_watch pressure;
    struct remembered remembered;
    struct kept_reservations kept_reservations;
    struct survivors survivors;
    struct frozen frozen;
    struct fdstore fdstore;
    struct shutdown shutdown;
    struct history history;
    uv_timer_t history_timer; /* for samples */
    struct runtime_figures figures;
    bool is_closing; /* nothing reaches the core any more: it is about to be freed */
};

/*
 * Sets up everything but the loop's run, with a listening socket. Takes the configuration in every case. Returns
 * NULL after logging why.
 */
struct server *server_new(struct config *config, const char *config_file, const char *socket_option);

/* Serves until a signal ends it; returns the process's exit status. */
int server_run(struct server *server);

/* Takes NULL; returns NULL. */
struct server *server_free(struct server *server);
