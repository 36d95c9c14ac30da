/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define NESTING_MAX 32

Json *json_new_object(void) {
        return json_object_new_object();
}

Json *json_new_array(void) {
        return json_object_new_array();
}

Json *json_new_string(const char *value) {
        return json_object_new_string(value);
}

Json *json_new_uint(uint64_t value) {
        return json_object_new_uint64(value);
}

Json *json_new_bool(bool value) {
        return json_object_new_boolean(value);
}

Json *json_share(const Json *json) {
        return json_object_get((Json *) json); /* not const to json-c, which counts owners */
}

Json *json_free(Json *json) {
        (void) json_object_put(json);
        return NULL;
}

/* Marks an object or array that lacks a part, as its userdata, which nothing else uses. */
static char incomplete;

static void mark(Json *container) {
        if (container)
                json_object_set_userdata(container, &incomplete, NULL);
}

int json_error(const Json *json) {
        if (!json)
                return -ENOMEM;

        if (json_object_is_type(json, json_type_object)) {
                json_object_object_foreach((Json *) json, name, child) {
                        (void) name;
                        if (child && json_error(child) < 0)
                                return -ENOMEM;
                }
        } else if (json_object_is_type(json, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(json); i++) {
                        const Json *child = json_object_array_get_idx(json, i);

                        if (child && json_error(child) < 0)
                                return -ENOMEM;
                }
        } else
                return 0;
        return json_object_get_userdata((Json *) json) == &incomplete ? -ENOMEM : 0;
}

void json_add(Json *object, const char *name, Json *child) {
        assert(name);

        if (object && child && json_object_object_add(object, name, child) >= 0)
                return;

        json_free(child);
        mark(object);
}

void json_add_string(Json *object, const char *name, const char *value) {
        json_add(object, name, json_new_string(value));
}

void json_add_uint(Json *object, const char *name, uint64_t value) {
        json_add(object, name, json_new_uint(value));
}

void json_add_double(Json *object, const char *name, double value) {
        Json *child;

        assert(isfinite(value)); /* JSON cannot express anything else */

        child = json_object_new_double(value);

        /* 17 digits, as by default, would print 0.1 as 0.10000000000000001. */
        if (child)
                json_object_set_serializer(
                                child, json_object_double_to_json_string, (void *) "%.15g", NULL);

        json_add(object, name, child);
}

void json_add_bool(Json *object, const char *name, bool value) {
        json_add(object, name, json_new_bool(value));
}

void json_append(Json *array, Json *child) {
        if (array && child && json_object_array_add(array, child) >= 0)
                return;

        json_free(child);
        mark(array);
}

char *json_format(const Json *json, bool pretty) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
                    (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                            : JSON_C_TO_STRING_PLAIN);
        const char *text;
        char *copy;

        if (json_error(json) < 0)
                return NULL;

        /* Not const to json-c: the text stays with the object, as a cache. */
        text = json_object_to_json_string_ext((Json *) json, flags);
        if (!text || asprintf(&copy, "%s\n", text) < 0)
                return NULL;

        return copy;
}

static bool is_blank(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (!strchr(" \t\r\n", text[i]) || text[i] == '\0')
                        return false;

        return true;
}

int json_parse(const char *text, size_t size, Json **ret) {
        _cleanup_(json_freep) Json *json = NULL;
        struct json_tokener *tokener;
        size_t end;
        bool complete;

        assert(text || size == 0);
        assert(ret);

        if (size > INT_MAX)
                return -EBADMSG;

        tokener = json_tokener_new_ex(NESTING_MAX);
        if (!tokener)
                return -ENOMEM;

        json_tokener_set_flags(
                        tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
                                                 JSON_TOKENER_VALIDATE_UTF8);

        json = json_tokener_parse_ex(tokener, text, (int) size);
        end = json_tokener_get_parse_end(tokener);

        /* A number might go on, until the 0 says that it does not. */
        if (json_tokener_get_error(tokener) == json_tokener_continue)
                json = json_tokener_parse_ex(tokener, "", 1);
        complete = json_tokener_get_error(tokener) == json_tokener_success;
        json_tokener_free(tokener);

        if (!complete || !json || !is_blank(text + end, size - end))
                return -EBADMSG;

        *ret = TAKE_PTR(json);
        return 0;
}

const Json *json_get(const Json *object, const char *name) {
        Json *child;

        return json_object_object_get_ex(object, name, &child) ? child : NULL;
}

const char *json_get_string(const Json *object, const char *name) {
        return json_to_string(json_get(object, name));
}

int json_get_uint(const Json *object, const char *name, uint64_t *ret) {
        const Json *child = json_get(object, name);

        if (!json_object_is_type(child, json_type_int) || json_object_get_int64(child) < 0)
                return -ENOENT;

        *ret = json_object_get_uint64(child);
        return 0;
}

int json_get_bool(const Json *object, const char *name, bool *ret) {
        const Json *child = json_get(object, name);

        if (!json_object_is_type(child, json_type_boolean))
                return -ENOENT;

        *ret = json_object_get_boolean(child);
        return 0;
}

size_t json_array_size(const Json *array) {
        return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

const Json *json_array_get(const Json *array, size_t i) {
        return i < json_array_size(array) ? json_object_array_get_idx(array, i) : NULL;
}

const char *json_to_string(const Json *json) {
        /* Not const to json-c; for a string it returns what is there. */
        return json_object_is_type(json, json_type_string) ? json_object_get_string((Json *) json)
                                                           : NULL;
}

uint64_t json_to_uint(const Json *json) {
        /* A negative number reads as 0, too. */
        return json_object_is_type(json, json_type_int) ? json_object_get_uint64(json) : 0;
}
