/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "core/key.h"
#include "master/request/json-reply.h"
#include "master/request/listing.h"

/* The text is made in pieces of this size, so that a slow reader of a long page takes no more
 * memory. */
#define PIECE_SIZE (32 * KIB)

/* A page under way. */
typedef struct Listing {
        Index *index; /* not owned */
        uint64_t limit;
        uint64_t n; /* keys so far */
        bool ended;
        Buffer text;
        size_t n_sent; /* of the text */
        char prefix[KEY_MAX + 1], last[KEY_MAX + 1];
} Listing;

static Listing *listing_free(Listing *listing) {
        if (!listing)
                return NULL;

        buffer_done(&listing->text);
        free(listing);
        return NULL;
}
DEFINE_CLEANUP(Listing *, listing_free);

static void put_text(Listing *listing, const char *text) {
        buffer_put(&listing->text, text, strlen(text));
}

/* JSON without the line break that json_format() puts behind it. */
static int put_json(Listing *listing, const Json *json) {
        _cleanup_free_ char *text = json_format(json, false);

        if (!text)
                return -ENOMEM;
        buffer_put(&listing->text, text, strlen(text) - 1);
        return buffer_error(&listing->text);
}

static int put_entry(Listing *listing, const char *path, const Record *record) {
        _cleanup_(json_freep) Json *entry = json_new_object();
        int r;

        json_add_string(entry, "key", path + 1);
        r = json_reply_add_record(entry, record);
        if (r < 0)
                return r;

        if (listing->n > 0)
                put_text(listing, ",");
        return put_json(listing, entry);
}

/* One key more than asked for tells whether there is another page. */
static int put_end(Listing *listing, bool more) {
        _cleanup_(json_freep) Json *after = NULL;
        char path[KEY_PATH_SIZE];
        int r = 0;

        put_text(listing, "]");
        if (more) {
                (void) key_to_path(listing->last, path);
                after = json_new_string(path + 1);
                put_text(listing, ",\"after\":");
                r = put_json(listing, after);
        }
        put_text(listing, "}\n");
        listing->ended = true;
        return r < 0 ? r : buffer_error(&listing->text);
}

static int on_entry(const char *key, const Record *record, void *userdata) {
        Listing *listing = userdata;
        char path[KEY_PATH_SIZE];
        int r;

        if (listing->n == listing->limit) {
                r = put_end(listing, true);
                return r < 0 ? r : 1;
        }

        (void) key_to_path(key, path);
        r = put_entry(listing, path, record);
        if (r < 0)
                return r;
        listing->n++;
        memcpy(listing->last, key, strlen(key) + 1);
        return listing->text.size >= PIECE_SIZE;
}

/* Makes the next piece of the text. Keys may come and go between two pieces, as between two
 * pages. */
static int make_piece(Listing *listing) {
        int r;

        buffer_clear(&listing->text);
        listing->n_sent = 0;
        if (listing->n == 0)
                put_text(listing, "{\"keys\":[");

        r = index_scan(listing->index, listing->prefix, listing->last,
                       listing->limit - listing->n + 1, on_entry, listing);
        if (r < 0 || listing->ended || listing->text.size >= PIECE_SIZE)
                return r;
        return put_end(listing, false);
}

static ssize_t on_read(void *userdata, void *data, size_t size) {
        Listing *listing = userdata;
        size_t n;
        int r;

        if (listing->n_sent == listing->text.size) {
                r = listing->ended ? 0 : make_piece(listing);
                if (r < 0 || listing->n_sent == listing->text.size)
                        return r;
        }

        n = MIN(size, listing->text.size - listing->n_sent);
        memcpy(data, listing->text.data + listing->n_sent, n);
        listing->n_sent += n;
        return (ssize_t) n;
}

static void on_closed(void *userdata) {
        (void) listing_free(userdata);
}

static int get_limit(HttpRequest *request, uint64_t *ret) {
        char string[16];
        int r;

        r = http_request_parameter(request, "limit", string, sizeof(string));
        if (r == -ENOENT) {
                *ret = LISTING_LIMIT;
                return 0;
        }
        if (r < 0)
                return -EINVAL;

        r = parse_u64(string, LISTING_LIMIT_MAX, ret);
        return r < 0 || *ret == 0 ? -EINVAL : 0;
}

/* Reads a parameter; one that is not there counts as empty. */
static int get_key_parameter(HttpRequest *request, const char *name, char ret[static KEY_MAX + 1]) {
        int r;

        r = http_request_parameter(request, name, ret, KEY_MAX + 1);
        if (r == -ENOENT)
                *ret = '\0';
        return r == -ENOENT ? 0 : r;
}

static int reply(HttpRequest *request, Listing *take_listing) {
        _cleanup_(listing_freep) Listing *listing = take_listing;
        HttpStream stream = { .read = on_read, .closed = on_closed, .userdata = listing };
        int r;

        r = http_request_add_header(request, "Cache-Control", "no-store");
        if (r < 0)
                return r;
        if (listing->ended)
                return http_request_reply_data(
                                request, 200, "application/json", listing->text.data,
                                listing->text.size);

        r = http_request_add_header(request, "Content-Type", "application/json");
        if (r < 0)
                return r;
        TAKE_PTR(listing); /* closed in any case */
        return http_request_reply_stream(request, 200, HTTP_SIZE_UNKNOWN, &stream);
}

int listing_finish(Index *index, HttpRequest *request) {
        _cleanup_(listing_freep) Listing *listing = calloc(1, sizeof(*listing));
        int r;

        if (!listing)
                return -ENOMEM;
        listing->index = index;

        r = get_limit(request, &listing->limit);
        if (r < 0)
                return http_request_reply_error(
                                request, r, "limit= must be a number from 1 to 10000.");
        r = get_key_parameter(request, "prefix", listing->prefix);
        if (r < 0)
                return r;
        r = get_key_parameter(request, "after", listing->last);
        if (r < 0)
                return r;
        r = make_piece(listing);
        if (r < 0)
                return r;

        return reply(request, TAKE_PTR(listing));
}
