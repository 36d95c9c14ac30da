/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Records as HTTP headers: Content-Type, Dkv-Meta-NAME, Dkv-Version, ETag. */

#include "base/buffer.h"
#include "core/condition.h"
#include "core/record.h"
#include "net/http-request.h"

/* Collects user metadata of a request into METADATA and lets CONTENT_TYPE point to the request's
 * header. Returns 0, -EINVAL for an empty value, -E2BIG if there is more than METADATA_MAX or
 * CONTENT_TYPE_MAX, or -ENOMEM. */
int http_request_get_metadata(
                HttpRequest *request, Buffer *metadata, const char **ret_content_type);

/* If-Match and If-None-Match; for POST, that the key must not exist. Returns 0 or -EINVAL. */
int http_request_get_condition(HttpRequest *request, Condition *ret);

/* Adds Content-Type, Dkv-Meta-NAME and Dkv-Version, which is the revision if that is known, to the
 * reply. */
int http_request_add_record(HttpRequest *request, const Record *record);

/* Replies to a successful write: 201 or 204 with ETag and, if it was committed, Dkv-Version; else
 * REVISION is 0. */
int http_request_reply_written(
                HttpRequest *request, bool created, uint64_t revision, const Checksum *checksum);
