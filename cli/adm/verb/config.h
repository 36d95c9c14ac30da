/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verb that shows the settings of a daemon. See verbs.h for what a verb is. */

int verb_config(int argc, char *argv[], void *userdata);
