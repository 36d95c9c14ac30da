/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Json: documents to build, print and parse; a thin cover over json-c, which only base/ includes.
 *
 * Objects own what was added to them, even if adding it failed. Like a Buffer, a document remembers
 * if there was no memory for a part of it. So adding returns nothing, and the document is checked
 * once, by json_error(), or by json_format(), which returns NULL then. The constructors may return
 * NULL: adding to NULL does nothing, and adding NULL fails. */

#include "base/macro.h"

typedef struct json_object Json;

Json *json_new_object(void);
Json *json_new_array(void);
Json *json_new_string(const char *value);
Json *json_new_uint(uint64_t value);
Json *json_new_bool(bool value);

/* Adds an owner to the document, which nobody may change any more. */
Json *json_share(const Json *json);
Json *json_free(Json *json);
DEFINE_CLEANUP(Json *, json_free);

void json_add(Json *object, const char *name, Json *child);
void json_add_string(Json *object, const char *name, const char *value);
void json_add_uint(Json *object, const char *name, uint64_t value);
void json_add_double(Json *object, const char *name, double value); /* must be finite */
void json_add_bool(Json *object, const char *name, bool value);
void json_append(Json *array, Json *child);

/* Returns 0, or -ENOMEM if JSON is NULL or a part of it is missing. */
int json_error(const Json *json);

/* Returns a new string ending in a newline, one line or indented; NULL for lack of memory, now or
 * before. */
char *json_format(const Json *json, bool pretty);

/* Parses exactly one document, in UTF-8. Returns 0, -EBADMSG or -ENOMEM. Nesting is limited to 32.
 */
int json_parse(const char *text, size_t size, Json **ret);

/* Return a child, borrowed; NULL if there is none of that name and type. */
const Json *json_get(const Json *object, const char *name);
const char *json_get_string(const Json *object, const char *name);
/* Return 0, or -ENOENT if there is none of that name and type. */
int json_get_uint(const Json *object, const char *name, uint64_t *ret);
int json_get_bool(const Json *object, const char *name, bool *ret);

size_t json_array_size(const Json *array);
const Json *json_array_get(const Json *array, size_t i);
/* The string or number that an array's element itself is; NULL or 0 if it is something else. */
const char *json_to_string(const Json *json);
uint64_t json_to_uint(const Json *json);
