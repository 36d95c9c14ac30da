/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/words.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/macro.h"

char *words_next(const char **text) {
        const char *start = *text + strspn(*text, " ");
        size_t n;

        if (*start == '\0')
                return NULL;
        if (*start == '\'') {
                n = strcspn(++start, "'");
                *text = start + n + 1;
        } else {
                n = strcspn(start, " ");
                *text = start + n;
        }
        return strndup(start, n);
}

/* The length of the first complete type. */
static size_t type_length(const char *types) {
        size_t depth = 0, n = 0;

        if (*types == 'a')
                return 1 + type_length(types + 1);
        do {
                depth += types[n] == '(' || types[n] == '{';
                depth -= types[n] == ')' || types[n] == '}';
                n++;
        } while (depth > 0);
        return n;
}

static uint64_t number_of(const char *word) {
        uint64_t number;

        assert_ok(parse_u64(word, UINT64_MAX, &number));
        return number;
}

static void append_basic(sd_bus_message *message, char type, const char *word) {
        uint64_t number = strchr("utbi", type) ? number_of(word) : 0;
        uint32_t small = (uint32_t) number;

        if (type == 't')
                assert_ok(sd_bus_message_append_basic(message, type, &number));
        else if (strchr("ubi", type))
                assert_ok(sd_bus_message_append_basic(message, type, &small));
        else
                assert_ok(sd_bus_message_append_basic(message, type, word));
}

static void append_all(
                sd_bus_message *message, const char *types, size_t length, const char **text);

static void append_one(
                sd_bus_message *message, const char *types, size_t length, const char **text) {
        bool is_struct = *types == '(' || *types == '{';
        _cleanup_free_ char *contents = strndup(types + 1, length - 1 - is_struct);
        _cleanup_free_ char *word = is_struct ? NULL : words_next(text);

        assert_true(is_struct || word);
        switch (*types) {
        case '(':
        case '{':
                assert_ok(sd_bus_message_open_container(
                                message, *types == '(' ? 'r' : 'e', contents));
                append_all(message, contents, strlen(contents), text);
                break;
        case 'a':
                assert_ok(sd_bus_message_open_container(message, 'a', contents));
                for (uint64_t n = number_of(word); n > 0; n--)
                        append_all(message, contents, strlen(contents), text);
                break;
        case 'v':
                assert_ok(sd_bus_message_open_container(message, 'v', word));
                append_all(message, word, strlen(word), text);
                break;
        default:
                append_basic(message, *types, word);
                return;
        }
        assert_ok(sd_bus_message_close_container(message));
}

static void append_all(
                sd_bus_message *message, const char *types, size_t length, const char **text) {
        while (length > 0) {
                size_t n = type_length(types);

                append_one(message, types, n, text);
                types += n;
                length -= n;
        }
}

void words_append(sd_bus_message *message, const char *types, const char *text) {
        _cleanup_free_ char *left = NULL;

        append_all(message, types, strlen(types), &text);
        left = words_next(&text);
        assert_null(left); /* the words are more than the types */
}

static void print_basic(FILE *file, sd_bus_message *message, char type) {
        union {
                const char *text;
                uint32_t small;
                uint64_t number;
        } value = {};

        assert_ok(sd_bus_message_read_basic(message, type, &value));
        if (type == 't')
                (void) fprintf(file, " %" PRIu64, value.number);
        else if (strchr("ubi", type))
                (void) fprintf(file, " %" PRIu32, value.small);
        else
                (void) fprintf(file, strchr(value.text, ' ') ? " '%s'" : " %s", value.text);
}

static size_t count(sd_bus_message *message, const char *contents) {
        size_t n = 0;

        assert_ok(sd_bus_message_enter_container(message, 'a', contents));
        while (sd_bus_message_at_end(message, false) == 0) {
                assert_ok(sd_bus_message_skip(message, contents));
                n++;
        }
        assert_ok(sd_bus_message_rewind(message, false));
        return n;
}

static void print_all(FILE *file, sd_bus_message *message) {
        const char *contents;
        char type;

        while (sd_bus_message_peek_type(message, &type, &contents) > 0) {
                if (!contents) {
                        print_basic(file, message, type);
                        continue;
                }
                if (type == 'a')
                        (void) fprintf(file, " %zu", count(message, contents));
                else
                        assert_ok(sd_bus_message_enter_container(message, type, contents));
                if (type == 'v')
                        (void) fprintf(file, " %s", contents);
                print_all(file, message);
                assert_ok(sd_bus_message_exit_container(message));
        }
}

void words_print(FILE *file, sd_bus_message *message) {
        const char *types = sd_bus_message_get_signature(message, true);

        if (*types)
                (void) fprintf(file, " %s", types);
        print_all(file, message);
}
