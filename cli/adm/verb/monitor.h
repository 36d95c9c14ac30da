/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verb that watches the cluster. See verbs.h for what a verb is. */

int verb_monitor(int argc, char *argv[], void *userdata);
