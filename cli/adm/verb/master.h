/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs of the master itself. See verbs.h for what a verb is. */

int verb_master_accept_rollback(int argc, char *argv[], void *userdata);
