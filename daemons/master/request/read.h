/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Read: where a value is (GET: a redirect to a volume, or the value itself through the master),
 * what is known of it (HEAD, /-/where). */

#include "http/server.h"

int read_get_finish(HttpRequest *request);
int read_head_finish(HttpRequest *request);
int read_where_finish(HttpRequest *request);
void read_end(HttpRequest *request);
