/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Condition: If-Match, If-None-Match and their two counterparts with dates (RFC 9110, 13.1), for
 * one key. ETags come first: a date counts only where the corresponding list is missing (13.2.2).
 */

#include "base/buffer.h"
#include "base/macro.h"
#include "core/checksum.h"

#define CONDITION_ETAGS_MAX 8

typedef struct ConditionList {
        bool present; /* the header was there */
        bool any;     /* it was "*" */
        uint8_t n_etags;
        Checksum etags[CONDITION_ETAGS_MAX];
} ConditionList;

typedef struct Condition {
        ConditionList match, none_match;
        bool create_only; /* POST: like If-None-Match: *, but a failure is -EEXIST */
        bool has_unmodified_since, has_modified_since;
        uint64_t unmodified_since, modified_since; /* seconds since the epoch */
} Condition;

/* Parses header values; NULL is an absent header. The caller sets the dates. Tags of other servers,
 * and weak ones in If-Match, never match, as RFC 9110 demands; weak ones in If-None-Match compare
 * like strong ones. Returns 0, or -EINVAL for a malformed list or more tags than
 * CONDITION_ETAGS_MAX. */
int condition_parse(const char *if_match, const char *if_none_match, Condition *ret);

bool condition_is_empty(const Condition *condition) _pure_;

/* CURRENT is the checksum of the current value, or NULL if there is none; MTIME_USEC is when it was
 * stored. Returns 0, -EEXIST for create_only on an existing key, -ECANCELED if another condition
 * does not hold. For a GET, a failed If-None-Match is a 304; use condition_check_read(). */
int condition_check(const Condition *condition, const Checksum *current, uint64_t mtime_usec);

/* For GET and HEAD. Returns 0, -ECANCELED for 412, or 1 for 304. */
int condition_check_read(const Condition *condition, const Checksum *current, uint64_t mtime_usec);

/* Leaves out what is for reads only. */
void condition_encode(const Condition *condition, Buffer *buffer);

/* Reads a condition from READER, which may have more after it. Returns 0 or -EBADMSG. */
int condition_decode(Reader *reader, Condition *ret);
