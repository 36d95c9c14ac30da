/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Batch: many small objects to store, in one request of the master; see core/call/wire.h. */

#include "base/buffer.h"
#include "http/request.h"

typedef struct VolumeDaemon VolumeDaemon;

int batch_store_finish(HttpRequest *request);

/* Takes the versions at the beginning of a body off what is pending. Returns 0 or -EBADMSG. */
int batch_read_confirmed(VolumeDaemon *volume, Reader *reader);

/* Answers with a list of wire_put_error(). */
void batch_reply_errors(HttpRequest *request, const Buffer *errors);
