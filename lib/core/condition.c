/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/condition.h"
#include "core/etag.h"

/* The flags of an encoded condition. */
enum {
        FLAG_MATCH = 1 << 0,
        FLAG_MATCH_ANY = 1 << 1,
        FLAG_NONE_MATCH = 1 << 2,
        FLAG_NONE_MATCH_ANY = 1 << 3,
        FLAG_CREATE_ONLY = 1 << 4,
        FLAG_UNMODIFIED_SINCE = 1 << 5,
        FLAGS_ALL = (1 << 6) - 1,
};

/* Returns the length of the quoted string at P, or 0 if there is none. It consists of printable
 * characters except quotes, and of bytes beyond ASCII. */
static size_t quoted_length(const char *p) {
        size_t n = 1;

        if (*p != '"')
                return 0;
        while ((uint8_t) p[n] > ' ' && p[n] != '"' && p[n] != 0x7f)
                n++;
        return p[n] == '"' ? n + 1 : 0;
}

/* Adds the tag if it can be one of ours. */
static int list_add(ConditionList *list, const char *etag, size_t length) {
        Checksum checksum;

        if (etag_to_checksum(etag, length, &checksum) < 0)
                return 0;
        if (list->n_etags >= CONDITION_ETAGS_MAX)
                return -EINVAL;

        list->etags[list->n_etags++] = checksum;
        return 0;
}

static const char *skip_space(const char *p) {
        return p + strspn(p, " \t");
}

/* Reads one tag and the blanks after it. Returns where it ends, or NULL if it is malformed. */
static const char *parse_tag(const char *p, bool take_weak, ConditionList *list) {
        bool weak = p[0] == 'W' && p[1] == '/';
        const char *etag = weak ? p + 2 : p;
        size_t length = quoted_length(etag);

        if (length == 0)
                return NULL;
        if ((!weak || take_weak) && list_add(list, etag, length) < 0)
                return NULL;

        p = skip_space(etag + length);
        return *p == ',' || *p == '\0' ? p : NULL;
}

static int parse_list(const char *value, bool take_weak, ConditionList *list) {
        const char *p;

        if (!value)
                return 0;

        list->present = true;
        p = value;
        while (*(p += strspn(p, " \t,"))) {
                if (*p == '*') { /* alone, or one of several lines that make up the list */
                        list->any = true;
                        p = skip_space(p + 1);
                        if (*p != ',' && *p != '\0')
                                return -EINVAL;
                        continue;
                }

                p = parse_tag(p, take_weak, list);
                if (!p)
                        return -EINVAL;
        }

        return 0;
}

int condition_parse(const char *if_match, const char *if_none_match, Condition *ret) {
        Condition condition = {};
        int r;

        assert(ret);

        r = parse_list(if_match, false, &condition.match);
        if (r < 0)
                return r;
        r = parse_list(if_none_match, true, &condition.none_match);
        if (r < 0)
                return r;

        *ret = condition;
        return 0;
}

bool condition_is_empty(const Condition *condition) {
        return !condition->match.present && !condition->none_match.present &&
               !condition->create_only && !condition->has_unmodified_since &&
               !condition->has_modified_since;
}

static bool list_matches(const ConditionList *list, const Checksum *current) {
        if (!current)
                return false;
        if (list->any)
                return true;

        for (size_t i = 0; i < list->n_etags; i++)
                if (checksum_equal(&list->etags[i], current))
                        return true;
        return false;
}

/* What both kinds of requests have in common. Dates have whole seconds. */
static int check(const Condition *condition, const Checksum *current, uint64_t mtime_usec) {
        uint64_t seconds = mtime_usec / USEC_PER_SEC;

        if (condition->match.present) {
                if (!list_matches(&condition->match, current))
                        return -ECANCELED;
        } else if (condition->has_unmodified_since && current &&
                   seconds > condition->unmodified_since)
                return -ECANCELED;

        return condition->none_match.present && list_matches(&condition->none_match, current);
}

int condition_check(const Condition *condition, const Checksum *current, uint64_t mtime_usec) {
        assert(condition);

        if (condition->create_only && current)
                return -EEXIST;

        return check(condition, current, mtime_usec) == 0 ? 0 : -ECANCELED;
}

int condition_check_read(const Condition *condition, const Checksum *current, uint64_t mtime_usec) {
        int r;

        assert(condition);

        r = check(condition, current, mtime_usec);
        if (r != 0 || condition->none_match.present || !current)
                return r;
        return condition->has_modified_since &&
               mtime_usec / USEC_PER_SEC <= condition->modified_since;
}

static void put_list(Buffer *buffer, const ConditionList *list) {
        buffer_put_u8(buffer, list->n_etags);
        for (size_t i = 0; i < list->n_etags; i++)
                buffer_put(buffer, list->etags[i].bytes, sizeof(list->etags[i].bytes));
}

static void get_list(Reader *reader, ConditionList *list) {
        list->n_etags = reader_get_u8(reader);
        if (list->n_etags > CONDITION_ETAGS_MAX) {
                reader->error = -EBADMSG;
                return;
        }

        for (size_t i = 0; i < list->n_etags; i++) {
                const void *bytes = reader_get(reader, sizeof(list->etags[i].bytes));

                if (bytes)
                        memcpy(list->etags[i].bytes, bytes, sizeof(list->etags[i].bytes));
        }
}

void condition_encode(const Condition *condition, Buffer *buffer) {
        uint8_t flags;

        assert(condition);
        assert(buffer);

        flags = (condition->match.present ? FLAG_MATCH : 0) |
                (condition->match.any ? FLAG_MATCH_ANY : 0) |
                (condition->none_match.present ? FLAG_NONE_MATCH : 0) |
                (condition->none_match.any ? FLAG_NONE_MATCH_ANY : 0) |
                (condition->create_only ? FLAG_CREATE_ONLY : 0) |
                (condition->has_unmodified_since ? FLAG_UNMODIFIED_SINCE : 0);
        buffer_put_u8(buffer, flags);
        if (condition->has_unmodified_since)
                buffer_put_u64(buffer, condition->unmodified_since);
        put_list(buffer, &condition->match);
        put_list(buffer, &condition->none_match);
}

int condition_decode(Reader *reader, Condition *ret) {
        Condition condition = {};
        uint8_t flags;

        assert(reader);
        assert(ret);

        flags = reader_get_u8(reader);
        if (flags & ~FLAGS_ALL)
                reader->error = -EBADMSG;
        condition.has_unmodified_since = flags & FLAG_UNMODIFIED_SINCE;
        if (condition.has_unmodified_since)
                condition.unmodified_since = reader_get_u64(reader);
        get_list(reader, &condition.match);
        get_list(reader, &condition.none_match);
        if (reader_error(reader) < 0)
                return reader_error(reader);

        condition.match.present = flags & FLAG_MATCH;
        condition.match.any = flags & FLAG_MATCH_ANY;
        condition.none_match.present = flags & FLAG_NONE_MATCH;
        condition.none_match.any = flags & FLAG_NONE_MATCH_ANY;
        condition.create_only = flags & FLAG_CREATE_ONLY;
        *ret = condition;
        return 0;
}
