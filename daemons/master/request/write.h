/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Write: PUT and POST.
 *
 * The master takes a value of up to WRITE_BUFFER_MAX bytes and sends it to all its volumes, many
 * values to a call. With a larger value, a client that waits for 100 Continue is redirected to the
 * first volume; for one that does not, the master relays. */

#include "http/server.h"

#define WRITE_BUFFER_MAX (32 * KIB)

int write_begin(HttpRequest *request);
ssize_t write_body(HttpRequest *request, const void *data, size_t size);
int write_finish(HttpRequest *request);
void write_end(HttpRequest *request);
