/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "core/condition.h"
#include "fuzz.h"

/* What is decoded comes back when it is encoded, and means the same. */
static void check_round_trip(const Condition *condition) {
        static const Checksum some;
        _cleanup_(buffer_done) Buffer first = {}, second = {};
        Condition decoded;
        Reader reader;

        condition_encode(condition, &first);
        assert(buffer_error(&first) == 0);
        reader = READER(first.data, first.size);
        assert(condition_decode(&reader, &decoded) == 0);
        assert(reader_end(&reader) == 0);
        condition_encode(&decoded, &second);
        assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);

        assert(condition_is_empty(condition) == condition_is_empty(&decoded));
        assert(condition_check(condition, NULL, 0) == condition_check(&decoded, NULL, 0));
        assert(condition_check(condition, &some, 0) == condition_check(&decoded, &some, 0));
        assert(condition_check_read(condition, &some, 0) ==
               condition_check_read(&decoded, &some, 0));
}

/* Dates count only where the tags are missing, and only for a value that is there. */
static void check_dates(const Condition *condition, uint64_t seconds) {
        static const Checksum some;
        Condition dated = *condition;

        dated.has_unmodified_since = dated.has_modified_since = true;
        dated.unmodified_since = dated.modified_since = seconds;
        assert(condition_check_read(&dated, NULL, 0) == condition_check_read(condition, NULL, 0));
        if (condition->match.present)
                assert(condition_check(&dated, &some, UINT64_MAX) ==
                       condition_check(condition, &some, UINT64_MAX));
        else if (seconds < UINT64_MAX / USEC_PER_SEC)
                assert(condition_check(&dated, &some, UINT64_MAX) < 0);
        if (condition->none_match.present && condition->match.present)
                assert(condition_check_read(&dated, &some, 0) ==
                       condition_check_read(condition, &some, 0));
        if (!condition->none_match.present && !condition->match.present)
                assert(condition_check_read(&dated, &some, 0) == 1);
}

/* The input is an encoded condition; and, up to the first 0, an If-Match, behind it an
 * If-None-Match. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *headers = fuzz_string(data, size);
        size_t length = strlen(headers);
        Reader reader = READER(data, size);
        Condition condition;

        if (condition_decode(&reader, &condition) == 0)
                check_round_trip(&condition);
        if (condition_parse(headers, length < size ? headers + length + 1 : NULL, &condition) ==
            0) {
                check_round_trip(&condition);
                check_dates(&condition, size);
        }
        return 0;
}
