/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JSON replies: what the master's answers in JSON have in common. */

#include "base/json.h"
#include "core/record.h"
#include "http/request.h"

/* Adds version, size, etag and mtime (RFC 3339, UTC). Returns 0, or -EBADMSG for an mtime that is
 * no time. */
int json_reply_add_record(Json *object, const Record *record);

int json_reply(HttpRequest *request, unsigned status, const Json *json);
