/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "http-text.h"
#include "listing.h"
#include "master.h"

typedef struct Listing {
        Json *keys;
        uint64_t limit;
        size_t n;
        char last[KEY_PATH_SIZE]; /* of the page, encoded */
        bool more;
} Listing;

static int on_entry(const char *key, const Record *record, void *userdata) {
        Listing *listing = userdata;
        Json *entry;
        int r;

        /* One entry more than asked for tells whether there is another page. */
        if (listing->n == listing->limit) {
                listing->more = true;
                return 1;
        }

        (void) key_to_path(key, listing->last);
        entry = json_new_object();
        r = json_add_string(entry, "key", listing->last + 1);
        r = r < 0 ? r : http_text_add_record(entry, record);
        if (r < 0) {
                (void) json_free(entry);
                return r;
        }

        listing->n++;
        return json_append(listing->keys, entry);
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

/* An absent parameter is an empty one. */
static int get_key_parameter(HttpRequest *request, const char *name, char ret[static KEY_MAX + 1]) {
        int r;

        r = http_request_parameter(request, name, ret, KEY_MAX + 1);
        if (r == -ENOENT)
                *ret = '\0';
        return r == -ENOENT ? 0 : r;
}

int listing_finish(HttpRequest *request) {
        Master *master = http_request_userdata(request);
        _cleanup_(json_freep) Json *answer = json_new_object();
        char prefix[KEY_MAX + 1], after[KEY_MAX + 1];
        Listing listing = {};
        int r;

        r = get_limit(request, &listing.limit);
        if (r < 0)
                return http_request_reply_error(
                                request, r, "limit= must be a number from 1 to 10000.");
        r = get_key_parameter(request, "prefix", prefix);
        if (r < 0)
                return r;
        r = get_key_parameter(request, "after", after);
        if (r < 0)
                return r;

        listing.keys = json_new_array();
        r = index_scan(master->index, prefix, after, listing.limit + 1, on_entry, &listing);
        if (r < 0) {
                (void) json_free(listing.keys);
                return r;
        }

        r = json_add(answer, "keys", listing.keys);
        if (r >= 0 && listing.more)
                r = json_add_string(answer, "after", listing.last + 1);
        return r < 0 ? r : http_text_reply(request, 200, answer);
}
