/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verb that tells how the cluster is. See verbs.h for what a verb is. */

int verb_status(int argc, char *argv[], void *userdata);
