/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Records as HTTP headers: Content-Type, Dkv-Meta-NAME and what else is kept with a value,
 * Dkv-Version, ETag. */

#include "base/buffer.h"
#include "core/condition.h"
#include "core/digest.h"
#include "core/record.h"
#include "http/request.h"

/* Whether a header of this name is kept with the value, and sent with it. */
bool http_header_is_stored(const char *name);

/* Collects what is to be kept into METADATA, the content type, which lives as long as the request,
 * and the digests that the body is to have (NULL if there are none; the caller's to free). Returns
 * 0, -EINVAL, explained, for what could not be sent back or is no whole value, -E2BIG if there is
 * more than METADATA_MAX or CONTENT_TYPE_MAX, or -ENOMEM. */
int http_request_get_metadata(
                HttpRequest *request,
                Buffer *metadata,
                const char **ret_content_type,
                Digests **ret_digests);

/* The name of the header that the metadata NAME stands for; BUFFER may hold it. NULL if it cannot
 * be sent. */
#define HTTP_RECORD_HEADER_SIZE (METADATA_MAX + 16)
const char *http_record_header(const char *name, char *buffer, size_t size);

/* If-Match, If-None-Match, If-Unmodified-Since and If-Modified-Since; for POST, that the key must
 * not exist. Returns 0, -EINVAL or -ENOMEM. */
int http_request_get_condition(HttpRequest *request, Condition *ret);

/* Adds all that is kept to the reply, and Dkv-Version, which is the revision if that is known. */
int http_request_add_record(HttpRequest *request, const Record *record);

/* Replies 307 to LOCATION, which is not to be kept. TEXT is for people whose client does not
 * follow. Returns as http_request_reply_data(). */
int http_request_reply_redirect(HttpRequest *request, const char *location, const char *text);

/* Replies 304. */
int http_request_reply_not_modified(HttpRequest *request, const Record *record);

/* Replies to a write whose outcome is unknown: 503, outcome-unknown, with the
 * Dkv-Version that the value has if it was; 0 if that is not known either. */
int http_request_reply_unknown(HttpRequest *request, uint64_t revision);

/* Replies to a successful write: 201 or 204 with ETag and, if it was committed, Dkv-Version; else
 * REVISION is 0. */
int http_request_reply_written(
                HttpRequest *request, bool created, uint64_t revision, const Checksum *checksum);
