/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/etag.h"
#include "master/request/json-reply.h"

int json_reply_add_record(Json *object, const Record *record) {
        char etag[ETAG_SIZE], mtime[sizeof("2026-01-02T03:04:05Z") + 8];
        time_t seconds = (time_t) (record->mtime_usec / USEC_PER_SEC);
        struct tm tm;

        if (!gmtime_r(&seconds, &tm) ||
            strftime(mtime, sizeof(mtime), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                return -EBADMSG;

        etag_of_checksum(&record->checksum, etag);
        json_add_uint(object, "version", record->revision);
        json_add_uint(object, "size", record->size);
        json_add_string(object, "etag", etag);
        json_add_string(object, "mtime", mtime);
        return 0;
}

int json_reply(HttpRequest *request, unsigned status, const Json *json) {
        _cleanup_free_ char *text = json_format(json, false);

        int r;

        if (!text)
                return -ENOMEM;
        r = http_request_add_header(request, "Cache-Control", "no-store");
        if (r < 0)
                return r;
        return http_request_reply_data(request, status, "application/json", text, strlen(text));
}
