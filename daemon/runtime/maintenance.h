/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked after each second: who has not said hello in time, and who may be read again. */
#pragma once

struct server;

void maintenance_start(struct server *server);
