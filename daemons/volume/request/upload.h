/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Upload: a value that arrives, is stored here, is passed on to the other volumes of its ticket
 * while it arrives, and is then committed at the master; what PUT and POST on a volume do. */

#include "http/server.h"

/* For the route table: PUT and POST of clients, and PUT of other volumes, which is not committed.
 */
int upload_begin(HttpRequest *request);
int upload_begin_copy(HttpRequest *request);
ssize_t upload_body(HttpRequest *request, const void *data, size_t size);
int upload_finish(HttpRequest *request);
void upload_end(HttpRequest *request);
