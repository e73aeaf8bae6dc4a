/* SPDX-License-Identifier: Apache-2.0 */
/* What clients do while a fault strikes, and what they must be able to do after it. */
#pragma once

#include "tests/integration/fixture.h"

/* Asks for one of everything, through the library and by hand. Every error is an answer; no answer at all is none. */
void scenario_everything(const struct fixture *fixture);

/* A client that must be served: memory in RAM and in a file, zero, its own, and given back. False, with what failed. */
bool scenario_next_client(const struct fixture *fixture, char *ret_failure, size_t size);

/*
 * The configuration that the scenario uses up to its limits; `directory` for named files. Who is disconnected is gone
 * after `grace`.
 */
void scenario_settings(const char *directory, const char *grace, char *ret, size_t size);
