/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "core/etag.h"
#include "http/parser/date.h"
#include "http/record.h"

#define META_PREFIX "Dkv-Meta-"

/* In a record's metadata, headers that are not Dkv-Meta- have names with this in front, which no
 * name of a header contains. */
#define STORED_PREFIX ':'

/* What is kept as it came, and sent with the value. */
static const char *const stored_headers[] = {
        "Cache-Control",    "Content-Digest", "Content-Disposition", "Content-Encoding",
        "Content-Language", "Content-MD5",    "Repr-Digest",         NULL,
};

bool http_header_is_stored(const char *name) {
        for (size_t i = 0; stored_headers[i]; i++)
                if (strcasecmp(stored_headers[i], name) == 0)
                        return true;

        return strcasecmp(name, "Content-Type") == 0 ||
               strncasecmp(name, META_PREFIX, strlen(META_PREFIX)) == 0;
}

/* A token, which names of headers are (RFC 9110, 5.6.2), of so many characters. */
static bool is_token(const char *string, size_t length) {
        for (size_t i = 0; i < length; i++) {
                char c = string[i];

                if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
                    !strchr("!#$%&'*+-.^_`|~", c))
                        return false;
        }
        return length > 0;
}

/* Whether it can be sent back: no control characters but tabs. */
static bool is_field_value(const char *string, size_t length) {
        for (size_t i = 0; i < length; i++)
                if (((uint8_t) string[i] < ' ' && string[i] != '\t') || string[i] == 0x7f)
                        return false;
        return true;
}

/* "type/subtype", and parameters in ASCII behind it. */
static bool is_media_type(const char *string, size_t length) {
        size_t type = strcspn(string, "/"), subtype, end;

        if (type >= length || !is_token(string, type))
                return false;
        subtype = strcspn(string + type + 1, "; \t");
        if (!is_token(string + type + 1, subtype))
                return false;

        end = type + 1 + subtype;
        end += strspn(string + end, " \t");
        if (end < length && string[end] != ';')
                return false;
        for (size_t i = end; i < length; i++)
                if ((uint8_t) string[i] > '~')
                        return false;
        return is_field_value(string, length);
}

typedef struct Collector {
        HttpRequest *request;
        Buffer *metadata;
        Digests *digests; /* made when the first one comes */
        const char *content_type;
} Collector;

static int refuse(HttpRequest *request, const char *detail) {
        http_request_explain(request, detail);
        return -EINVAL;
}

static int collect_meta(Collector *collector, const char *name, const char *value) {
        if (!is_token(name, strlen(name)))
                return refuse(collector->request,
                              "The name of a Dkv-Meta- header has characters that no header's may.");
        if (*value == '\0' || !is_field_value(value, strlen(value)))
                return refuse(collector->request,
                              "A Dkv-Meta- header is empty, or has control characters in it.");

        return metadata_append(collector->metadata, name, value);
}

/* Returns whether the value says something that can be checked. */
static int collect_digest(Collector *collector, const char *name, const char *value) {
        int r;

        if (!collector->digests) {
                r = digests_new(&collector->digests);
                if (r < 0)
                        return r;
        }

        if (strcasecmp(name, "Content-MD5") != 0)
                r = digests_add_list(collector->digests, value);
        else {
                r = digests_add_md5(collector->digests, value);
                r = r < 0 ? r : 1;
        }
        if (r == -EINVAL)
                return refuse(collector->request, "A digest of the value is malformed.");
        return r;
}

static bool is_digest(const char *name) {
        return strcasecmp(name, "Content-MD5") == 0 || strcasecmp(name, "Content-Digest") == 0 ||
               strcasecmp(name, "Repr-Digest") == 0;
}

static int collect_stored(Collector *collector, const char *name, const char *value) {
        char stored[64];
        int r;

        if (*value == '\0')
                return 0;
        if (!is_field_value(value, strlen(value)))
                return refuse(collector->request,
                              "A header that is kept with the value has control characters in it.");
        if (is_digest(name)) {
                r = collect_digest(collector, name, value);
                if (r <= 0)
                        return r; /* what cannot be checked is not passed on as if it were */
        }

        (void) snprintf(stored, sizeof(stored), "%c%s", STORED_PREFIX, name);
        return metadata_append(collector->metadata, stored, value);
}

static int collect_content_type(Collector *collector, const char *value) {
        size_t length = strlen(value);

        if (length == 0)
                return 0;
        if (collector->content_type)
                return refuse(collector->request, "There are two Content-Type headers.");
        if (length > CONTENT_TYPE_MAX)
                return -E2BIG;
        if (!is_media_type(value, length))
                return refuse(collector->request,
                              "Content-Type must be a media type such as text/plain, in ASCII.");

        collector->content_type = value;
        return 0;
}

/* Most headers are about the request; that shows in their first letter. */
static bool may_be_about_value(const char *name) {
        return strchr("CcDdRr", *name);
}

static int on_header(const char *name, const char *value, void *userdata) {
        Collector *collector = userdata;

        if (!may_be_about_value(name))
                return 0;
        if (strncasecmp(name, META_PREFIX, strlen(META_PREFIX)) == 0)
                return collect_meta(collector, name + strlen(META_PREFIX), value);
        if (strcasecmp(name, "Content-Type") == 0)
                return collect_content_type(collector, value);
        if (strcasecmp(name, "Content-Range") == 0)
                return refuse(collector->request,
                              "A part of a value cannot be stored: Content-Range is for answers.");

        for (size_t i = 0; stored_headers[i]; i++)
                if (strcasecmp(stored_headers[i], name) == 0)
                        return collect_stored(collector, stored_headers[i], value);
        return 0;
}

int http_request_get_metadata(
                HttpRequest *request,
                Buffer *metadata,
                const char **ret_content_type,
                Digests **ret_digests) {
        Collector collector = { .request = request, .metadata = metadata };
        int r;

        r = http_request_each_header(request, on_header, &collector);
        if (r < 0) {
                (void) digests_free(collector.digests);
                return r;
        }

        *ret_content_type = collector.content_type ?: "";
        *ret_digests = collector.digests;
        return 0;
}

typedef struct List {
        const char *name;
        Buffer joined;
} List;

static int on_line(const char *name, const char *value, void *userdata) {
        List *list = userdata;

        if (strcasecmp(name, list->name) != 0)
                return 0;

        if (list->joined.size > 0)
                buffer_put(&list->joined, ",", 1);
        buffer_put(&list->joined, value, strlen(value));
        return buffer_error(&list->joined);
}

static void list_done(List *list) {
        buffer_done(&list->joined);
}

/* A list may stand in several lines (RFC 9110, 5.3). Leaves it in LIST, with a 0. */
static int get_list(HttpRequest *request, List *list) {
        int r;

        r = http_request_each_header(request, on_line, list);
        if (r < 0)
                return r;
        buffer_put(&list->joined, "", 1);
        return buffer_error(&list->joined);
}

static void get_date(const char *value, bool *ret_has, uint64_t *ret) {
        *ret_has = value && http_date_parse(value, ret) >= 0; /* others are to be ignored */
}

int http_request_get_condition(HttpRequest *request, Condition *ret) {
        _cleanup_(list_done) List match = { .name = "If-Match" },
                                  none_match = { .name = "If-None-Match" };
        bool has_match = http_request_header(request, "If-Match"),
             has_none_match = http_request_header(request, "If-None-Match");
        int r = 0;

        if (has_match)
                r = get_list(request, &match);
        if (r >= 0 && has_none_match)
                r = get_list(request, &none_match);
        if (r >= 0)
                r = condition_parse(
                                has_match ? (const char *) match.joined.data : NULL,
                                has_none_match ? (const char *) none_match.joined.data : NULL, ret);
        if (r < 0)
                return r;

        get_date(http_request_header(request, "If-Unmodified-Since"), &ret->has_unmodified_since,
                 &ret->unmodified_since);
        get_date(http_request_header(request, "If-Modified-Since"), &ret->has_modified_since,
                 &ret->modified_since);
        ret->create_only = strcmp(http_request_method(request), "POST") == 0;
        return 0;
}

static int add_version(HttpRequest *request, uint64_t revision) {
        char string[DECIMAL_SIZE(revision)];

        if (revision == 0)
                return 0;

        (void) format_u64(revision, string);
        return http_request_add_header(request, "Dkv-Version", string);
}

const char *http_record_header(const char *name, char *buffer, size_t size) {
        if (*name == STORED_PREFIX)
                return http_header_is_stored(name + 1) ? name + 1 : NULL;
        if (!is_token(name, strlen(name)))
                return NULL;

        (void) snprintf(buffer, size, META_PREFIX "%s", name);
        return buffer;
}

/* Whatever an older version has let in must not keep the value from being read. */
static int add_metadata(HttpRequest *request, const Record *record, bool *ret_has_cache_control) {
        char buffer[HTTP_RECORD_HEADER_SIZE];
        const char *name, *value;
        size_t position = 0;

        while (metadata_next(record->metadata, record->metadata_size, &position, &name, &value)) {
                const char *header = http_record_header(name, buffer, sizeof(buffer));
                int r;

                if (!header || !is_field_value(value, strlen(value)))
                        continue;
                r = http_request_add_header(request, header, value);
                if (r < 0)
                        return r;
                *ret_has_cache_control |= strcasecmp(header, "Cache-Control") == 0;
        }
        return 0;
}

int http_request_add_record(HttpRequest *request, const Record *record) {
        const char *type = record->content_type;
        bool has_cache_control = false;
        int r;

        if (!is_media_type(type, strlen(type)))
                type = "application/octet-stream";

        r = add_version(request, record->revision);
        if (r >= 0)
                r = http_request_add_header(request, "Content-Type", type);
        if (r >= 0)
                r = http_request_add_header(request, "X-Content-Type-Options", "nosniff");
        if (r >= 0)
                r = add_metadata(request, record, &has_cache_control);
        if (r >= 0 && !has_cache_control) /* kept, and asked about each time */
                r = http_request_add_header(request, "Cache-Control", "no-cache");
        return r;
}

static bool get_cache_control(const Record *record, const char **ret) {
        const char *name;
        size_t position = 0;

        while (metadata_next(record->metadata, record->metadata_size, &position, &name, ret))
                if (*name == STORED_PREFIX && strcasecmp(name + 1, "Cache-Control") == 0 &&
                    is_field_value(*ret, strlen(*ret)))
                        return true;
        return false;
}

int http_request_reply_not_modified(HttpRequest *request, const Record *record) {
        char etag[ETAG_SIZE], date[HTTP_DATE_SIZE];
        const char *cache_control;
        int r;

        if (!get_cache_control(record, &cache_control))
                cache_control = "no-cache";
        etag_of_checksum(&record->checksum, etag);
        http_date_format(record->mtime_usec / USEC_PER_SEC, date);

        r = add_version(request, record->revision);
        if (r >= 0)
                r = http_request_add_header(request, "ETag", etag);
        if (r >= 0)
                r = http_request_add_header(request, "Last-Modified", date);
        if (r >= 0)
                r = http_request_add_header(request, "Cache-Control", cache_control);

        /* With the length that a 200 would have */
        return r < 0 ? r : http_request_reply_head(request, 304, record->size);
}

int http_request_reply_redirect(HttpRequest *request, const char *location, const char *text) {
        int r;

        r = http_request_add_header(request, "Location", location);
        if (r >= 0)
                r = http_request_add_header(request, "Cache-Control", "no-store");
        return r < 0 ? r : http_request_reply_data(request, 307, "text/plain", text, strlen(text));
}

int http_request_reply_unknown(HttpRequest *request, uint64_t revision) {
        (void) add_version(request, revision);
        return http_request_reply_error(
                        request, ECOMM,
                        "The value may have been stored, or may still be: HEAD tells, by Dkv-Version.");
}

int http_request_reply_written(
                HttpRequest *request, bool created, uint64_t revision, const Checksum *checksum) {
        char etag[ETAG_SIZE];
        int r;

        etag_of_checksum(checksum, etag);
        r = http_request_add_header(request, "ETag", etag);
        if (r < 0)
                return r;
        r = add_version(request, revision);
        if (r < 0)
                return r;

        return http_request_reply(request, created ? 201 : 204);
}
