/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing by weight between the classes, and between the users of a class. */
#pragma once

#include "daemon/core/broker_state.h"

/* Which of two shares goes first, by what is to be looked at next in each: negative, the first does. */
int fair_share_compare(const struct broker *broker, const struct share *a, const struct share *b);

/* Before a pass: charges classes and users for what they had beyond their share since the last one. */
void fair_share_charge(struct step *step);

/* After a pass: finds out what they have beyond their share beside those who still wait. */
void fair_share_settle(struct broker *broker);
