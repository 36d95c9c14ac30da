/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs of the cluster's secret. See verbs.h for what a verb is. */

int verb_secret_create(int argc, char *argv[], void *userdata);
int verb_secret_show(int argc, char *argv[], void *userdata);
