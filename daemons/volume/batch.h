/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Batch: many small objects to store, or many to delete, in one request of the master; see
 * core/wire.h. */

#include "net/http-request.h"

int batch_store_finish(HttpRequest *request);
int batch_delete_finish(HttpRequest *request);
