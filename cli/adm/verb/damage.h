/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verb that lists damaged copies. See verbs.h for what a verb is. */

int verb_damage(int argc, char *argv[], void *userdata);
