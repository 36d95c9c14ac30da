/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Upload: what PUT and POST on a volume do. The value is stored here and passed on to the other
 * volumes of its ticket while it arrives; then it is committed at the master. */

#include "http/pipe.h"
#include "http/server.h"
#include "rpc/client.h"
#include "volume/link/caller.h"
#include "volume/link/commit-queue.h"
#include "volume/upkeep/copies.h"
#include "volume/upkeep/report.h"

/* What the values that are passed on may keep in memory together, however slow the other volumes
 * are. */
#define UPLOAD_PIPES_MAX (256 * MIB)

/* None of it is owned; it outlives the requests. */
typedef struct UploadOptions {
        const Callers *callers;
        const Copies *copies;
        HttpClient *client; /* passes values on, as slowly as they come */
        PipeBudget *budget; /* of what is passed on; beyond it, values are refused */
        CommitQueue *commits;
        const Report *report; /* knows the grace time */
} UploadOptions;

/* For the route table: PUT and POST of clients, and PUT of other volumes (FORWARD_PREFIX), which is
 * not committed. */
int upload_begin(const UploadOptions *options, HttpRequest *request);
ssize_t upload_body(HttpRequest *request, const void *data, size_t size);
int upload_finish(HttpRequest *request);
void upload_end(HttpRequest *request);
