/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Conf: settings from files in systemd's ini dialect, described by a table.
 *
 * The table drives everything: parsing, defaults, limits, the shipped file with every default
 * commented out, and the documentation's check. Unknown sections and names are warned about and
 * ignored, so that an older daemon can read a newer file; a bad value is an error.
 *
 * A line that starts with '#' or ';' is a comment, and so is the rest of a line after a blank and a
 * ';'. Values stand on one line, without quotes. */

#include "base/macro.h"

typedef enum ConfType {
        CONF_STRING, /* char *, owned by the struct */
        CONF_BOOL,   /* bool */
        CONF_UINT,   /* uint64_t */
        CONF_SIZE,   /* uint64_t in bytes, with suffix K, M, G, T (powers of 1024) */
        CONF_TIME,   /* uint64_t in µs: a number with us, ms, s, min, h or d; bare numbers are s */
} ConfType;

typedef struct ConfItem {
        const char *section;
        const char *name;
        ConfType type;
        size_t offset;             /* of the field to store to */
        const char *initial;       /* as it would be written in the file */
        uint64_t minimum, maximum; /* for numbers, in the unit of the field; 0, 0 for no limit */
        const char *help;          /* one sentence, for the shipped file */
        bool live;                 /* can change while the daemon runs */

        /* For a text: NULL if it is good, or the reason why not, as the end of a sentence ("has no
         * port"). An initial value is not asked about. Optional. */
        const char *(*complain)(const char *value);
} ConfItem;

#define CONF_ITEMS_MAX 32

/* What every struct of settings begins with: where each value comes from, by its place in the
 * table: "/etc/dkv/master.conf:7", "--set", or NULL for the initial value. */
typedef struct ConfOrigins {
        char *of[CONF_ITEMS_MAX];
} ConfOrigins;

/* What went wrong where, for messages; LINE is 0 if it is about the whole file. */
typedef void (*ConfReport)(
                int level, const char *file, unsigned line, const char *message, void *userdata);

/* In what follows CONF is a struct that begins with ConfOrigins. */

/* Sets each field of CONF, which must be zeroed, to its initial value. Returns 0 or -ENOMEM. */
int conf_init(const ConfItem items[], void *conf);

/* Frees the strings. */
void conf_done(const ConfItem items[], void *conf);

/* Reads PATH, then the files PATH.d/NAME.conf in the order of their names; later values win, and an
 * empty value stands for the initial one. A file that does not exist is skipped.
 *
 * Returns 0, -EINVAL if a value was bad (all of them are reported with LOG_ERR), or another
 * negative errno if a file could not be read. */
int conf_load(const ConfItem items[],
              const char *path,
              void *conf,
              ConfReport report,
              void *userdata);

/* Sets one value; ORIGIN, if not NULL, is kept with it. Returns 0, -ENOENT for an unknown name,
 * -EINVAL for a bad value, -ERANGE for one outside of its limits. */
int conf_set(const ConfItem items[],
             void *conf,
             const char *name,
             const char *value,
             const char *origin);

/* The same for "NAME=VALUE"; -EINVAL if there is no "=". */
int conf_set_assignment(
                const ConfItem items[], void *conf, const char *assignment, const char *origin);

/* Says in a sentence, without its full stop, why conf_set_assignment() has refused ASSIGNMENT with
 * ERROR. Returns a new string or NULL. */
char *conf_explain(const ConfItem items[], const char *assignment, int error);

/* Tells on_difference() each setting that differs between CONF and FRESH, which was loaded by the
 * same table, and takes over those that are live. A live number may be read by other threads (as
 * _Atomic). A live string may not: afterwards FRESH owns the old one and frees it. */
void conf_apply(const ConfItem items[],
                void *conf,
                void *fresh,
                void (*on_difference)(const ConfItem *item, const char *value, void *userdata),
                void *userdata);

/* The value of one field as it would be written in a file. Returns a new string or NULL. */
char *conf_format(const ConfItem *item, const void *conf);

/* Where the value of ITEMS[INDEX] comes from; "" for the initial one. */
const char *conf_origin(const void *conf, size_t index);

/* Prints the shipped file: each setting with its help, and its default commented out. */
void conf_print_template(const ConfItem items[], const char *program);
