/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/http-record.h"

#define META_PREFIX "Dkv-Meta-"

static int on_header(const char *name, const char *value, void *userdata) {
        Buffer *metadata = userdata;
        size_t prefix = sizeof(META_PREFIX) - 1;

        if (strncasecmp(name, META_PREFIX, prefix) != 0 || name[prefix] == '\0')
                return 0;
        if (*value == '\0')
                return -EINVAL; /* it could not be sent back */

        return metadata_append(metadata, name + prefix, value);
}

int http_request_get_metadata(
                HttpRequest *request, Buffer *metadata, const char **ret_content_type) {
        const char *content_type = http_request_header(request, "Content-Type") ?: "";
        int r;

        r = http_request_each_header(request, on_header, metadata);
        if (r < 0)
                return r;
        if (strlen(content_type) > CONTENT_TYPE_MAX || metadata->size > METADATA_MAX)
                return -E2BIG;

        *ret_content_type = content_type;
        return 0;
}

int http_request_get_condition(HttpRequest *request, Condition *ret) {
        int r;

        r = condition_parse(
                        http_request_header(request, "If-Match"),
                        http_request_header(request, "If-None-Match"), ret);
        if (r < 0)
                return r;

        ret->create_only = strcmp(http_request_method(request), "POST") == 0;
        return 0;
}

static int add_version(HttpRequest *request, uint64_t revision) {
        char string[21];

        if (revision == 0)
                return 0;

        (void) snprintf(string, sizeof(string), "%" PRIu64, revision);
        return http_request_add_header(request, "Dkv-Version", string);
}

int http_request_add_record(HttpRequest *request, const Record *record) {
        const char *name, *value;
        size_t position = 0;
        int r;

        r = add_version(request, record->revision);
        if (r >= 0 && *record->content_type)
                r = http_request_add_header(request, "Content-Type", record->content_type);

        while (r >= 0 &&
               metadata_next(record->metadata, record->metadata_size, &position, &name, &value)) {
                char header[sizeof(META_PREFIX) + METADATA_MAX];

                (void) snprintf(header, sizeof(header), META_PREFIX "%s", name);
                r = http_request_add_header(request, header, value);
        }

        return r;
}

int http_request_reply_written(
                HttpRequest *request, bool created, uint64_t revision, const Checksum *checksum) {
        char etag[ETAG_SIZE];
        int r;

        checksum_to_etag(checksum, etag);
        r = http_request_add_header(request, "ETag", etag);
        if (r < 0)
                return r;
        r = add_version(request, revision);
        if (r < 0)
                return r;

        return http_request_reply(request, created ? 201 : 204);
}
