/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/conf.h"
#include "base/error.h"
#include "base/file.h"

#define FILE_SIZE_MAX MIB

typedef struct Unit {
        const char *name;
        uint64_t factor;
} Unit;

typedef struct TypeInfo {
        const Unit *units;    /* for numbers */
        const char *expected; /* for messages */
} TypeInfo;

/* Largest first; conf_format() takes the first that divides. The one without a name is what a bare
 * number counts. */
/* clang-format off */
static const Unit size_units[] = {
        { "T", TIB }, { "G", GIB }, { "M", MIB }, { "K", KIB }, { "", 1 },
        {}
};

static const Unit time_units[] = {
        { "d",   USEC_PER_DAY  },
        { "h",   USEC_PER_HOUR },
        { "min", USEC_PER_MIN  },
        { "s",   USEC_PER_SEC  },
        { "",    USEC_PER_SEC  },
        { "ms",  USEC_PER_MSEC },
        { "us",  1             },
        {}
};

static const Unit plain_units[] = { { "", 1 }, {} };

static const TypeInfo types[] = {
        [CONF_STRING] = { NULL,        "a text"                          },
        [CONF_BOOL]   = { NULL,        "yes or no"                       },
        [CONF_UINT]   = { plain_units, "a number"                        },
        [CONF_SIZE]   = { size_units,  "a size such as 512, 32K or 1G"   },
        [CONF_TIME]   = { time_units,  "a time such as 500ms, 10s or 2h" },
};
/* clang-format on */

static void *field_of(const ConfItem *item, void *conf) {
        assert(item->offset >= sizeof(ConfOrigins)); /* the struct begins with one */
        return (char *) conf + item->offset;
}

static const void *const_field_of(const ConfItem *item, const void *conf) {
        return (const char *) conf + item->offset;
}

static int set_string(char **field, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;

        free(*field);
        *field = copy;
        return 0;
}

static int set_bool(bool *field, const char *value) {
        static const char *const yes[] = { "yes", "true", "on", "1" };
        static const char *const no[] = { "no", "false", "off", "0" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                bool is_yes = strcmp(value, yes[i]) == 0;

                if (is_yes || strcmp(value, no[i]) == 0) {
                        *field = is_yes;
                        return 0;
                }
        }

        return -EINVAL;
}

static int parse_number(const Unit units[], const char *value, uint64_t *ret) {
        char digits[sizeof("18446744073709551615")] = "";
        size_t n = strspn(value, "0123456789");
        uint64_t count;
        int r;

        if (n >= sizeof(digits))
                return -ERANGE;

        memcpy(digits, value, n);
        r = parse_u64(digits, UINT64_MAX, &count);
        if (r < 0)
                return r;

        value += n + strspn(value + n, " ");
        for (; units->name; units++)
                if (strcmp(value, units->name) == 0)
                        return __builtin_mul_overflow(count, units->factor, ret) ? -ERANGE : 0;

        return -EINVAL;
}

static int set_number(const ConfItem *item, uint64_t *field, const char *value) {
        uint64_t n;
        int r;

        r = parse_number(types[item->type].units, value, &n);
        if (r < 0)
                return r;

        if (item->maximum > 0 && (n < item->minimum || n > item->maximum))
                return -ERANGE;

        *field = n;
        return 0;
}

static int set_field(const ConfItem *item, void *conf, const char *value) {
        switch (item->type) {
        case CONF_STRING:
                if (item->complain && strcmp(value, item->initial) != 0 && item->complain(value))
                        return -EINVAL;
                return set_string(field_of(item, conf), value);
        case CONF_BOOL:
                return set_bool(field_of(item, conf), value);
        case CONF_UINT:
        case CONF_SIZE:
        case CONF_TIME:
                return set_number(item, field_of(item, conf), value);
        }

        assert(false);
        return -EINVAL;
}

static char **origin_of(const ConfItem items[], const ConfItem *item, void *conf) {
        ConfOrigins *origins = conf;

        assert(item - items < CONF_ITEMS_MAX);
        return origins->of + (item - items);
}

/* An empty value stands for the initial one, which comes from nowhere. */
static int set(const ConfItem items[],
               const ConfItem *item,
               void *conf,
               const char *value,
               const char *origin) {
        char **field = origin_of(items, item, conf), *copy = NULL;
        int r;

        if (*value != '\0' && origin) {
                copy = strdup(origin);
                if (!copy)
                        return -ENOMEM;
        }

        r = set_field(item, conf, *value != '\0' ? value : item->initial);
        if (r < 0) {
                free(copy);
                return r;
        }

        free(*field);
        *field = copy;
        return 0;
}

int conf_init(const ConfItem items[], void *conf) {
        for (const ConfItem *item = items; item->name; item++) {
                int r = set(items, item, conf, "", NULL);

                assert(r >= 0 || r == -ENOMEM); /* a table with a bad default */
                if (r < 0)
                        return r;
        }

        return 0;
}

void conf_done(const ConfItem items[], void *conf) {
        for (const ConfItem *item = items; item->name; item++) {
                char **string = field_of(item, conf), **origin = origin_of(items, item, conf);

                if (item->type == CONF_STRING) {
                        free(*string);
                        *string = NULL;
                }
                free(*origin);
                *origin = NULL;
        }
}

int conf_set(const ConfItem items[],
             void *conf,
             const char *name,
             const char *value,
             const char *origin) {
        for (const ConfItem *item = items; item->name; item++)
                if (strcmp(item->name, name) == 0)
                        return set(items, item, conf, value, origin);

        return -ENOENT;
}

int conf_set_assignment(
                const ConfItem items[], void *conf, const char *assignment, const char *origin) {
        _cleanup_free_ char *name = strdup(assignment);
        char *value;

        if (!name)
                return -ENOMEM;
        value = strchr(name, '=');
        if (!value)
                return -EINVAL;
        *value++ = '\0';
        return conf_set(items, conf, name, value, origin);
}

static void swap_strings(char **a, char **b) {
        char *swap = *a;

        *a = *b;
        *b = swap;
}

static void take_over(const ConfItem *item, void *conf, void *fresh) {
        void *to = field_of(item, conf), *from = field_of(item, fresh);

        switch (item->type) {
        case CONF_STRING:
                swap_strings(to, from);
                break;
        case CONF_BOOL:
                __atomic_store_n((bool *) to, *(bool *) from, __ATOMIC_RELAXED);
                break;
        case CONF_UINT:
        case CONF_SIZE:
        case CONF_TIME:
                __atomic_store_n((uint64_t *) to, *(uint64_t *) from, __ATOMIC_RELAXED);
                break;
        }
}

static bool differs(const ConfItem *item, const void *conf, const void *fresh) {
        const void *a = const_field_of(item, conf), *b = const_field_of(item, fresh);

        switch (item->type) {
        case CONF_STRING:
                return strcmp(*(char *const *) a, *(char *const *) b) != 0;
        case CONF_BOOL:
                return *(const bool *) a != *(const bool *) b;
        case CONF_UINT:
        case CONF_SIZE:
        case CONF_TIME:
                return *(const uint64_t *) a != *(const uint64_t *) b;
        }

        assert(false);
        return false;
}

void conf_apply(const ConfItem items[],
                void *conf,
                void *fresh,
                void (*on_difference)(const ConfItem *item, const char *value, void *userdata),
                void *userdata) {
        for (const ConfItem *item = items; item->name; item++) {
                bool is_different = differs(item, conf, fresh);
                _cleanup_free_ char *value = NULL;

                if (is_different) {
                        value = conf_format(item, fresh);
                        if (item->live)
                                take_over(item, conf, fresh);
                        on_difference(item, value ?: "?", userdata);
                }

                /* The same value may come from another place now. */
                if (!is_different || item->live)
                        swap_strings(origin_of(items, item, conf), origin_of(items, item, fresh));
        }
}

static char *format_number(const Unit units[], uint64_t value) {
        char *string;

        while (value == 0 ? *units->name != '\0' : value % units->factor != 0)
                units++;

        if (asprintf(&string, "%" PRIu64 "%s", value / units->factor, units->name) < 0)
                return NULL;
        return string;
}

char *conf_format(const ConfItem *item, const void *conf) {
        const void *value = const_field_of(item, conf);

        switch (item->type) {
        case CONF_STRING:
                return strdup(*(const char *const *) value);
        case CONF_BOOL:
                return strdup(*(const bool *) value ? "yes" : "no");
        case CONF_UINT:
        case CONF_SIZE:
        case CONF_TIME:
                return format_number(types[item->type].units, *(const uint64_t *) value);
        }

        assert(false);
        return NULL;
}

const char *conf_origin(const void *conf, size_t index) {
        const ConfOrigins *origins = conf;

        assert(index < CONF_ITEMS_MAX);
        return origins->of[index] ?: "";
}

/* A file that inih is reading. */
typedef struct Parser {
        const ConfItem *items;
        void *conf;
        ConfReport report;
        void *userdata;

        const char *path;
        const char *text; /* what is left to read */
        unsigned line;
        int error; /* -EINVAL after a bad line, or what stopped us */
} Parser;

_printf_(4, 5) static void complain(
                const Parser *parser, int level, unsigned line, const char *format, ...) {
        char message[512];
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);

        parser->report(level, parser->path, line, message, parser->userdata);
}

static void complain_about_file(const Parser *parser, const char *what, int error) {
        char reason[ERROR_REASON_SIZE];

        error_format_reason(error, reason);
        complain(parser, LOG_ERR, 0, "Failed to read the %s: %s", what, reason);
}

/* The ini_reader. To inih an indented line continues the one above, to systemd it does not, so
 * indentation is removed. Counts the lines, because inih does not tell its handler the number. */
static char *on_read(char *room, int size, void *userdata) {
        Parser *parser = userdata;
        const char *line = parser->text;
        size_t length = strcspn(line, "\n");

        if (*line == '\0')
                return NULL;

        parser->line++;
        parser->text += length + (line[length] == '\n');

        while (length > 0 && (*line == ' ' || *line == '\t')) {
                line++;
                length--;
        }

        if (*line == '#' || *line == ';')
                length = 0;
        else if (length + sizeof("\n") > (size_t) size) {
                complain(parser, LOG_ERR, parser->line, "The line is longer than %zu bytes",
                         (size_t) size - sizeof("\n"));
                parser->error = -EINVAL;
                length = 0;
        }

        memcpy(room, line, length);
        memcpy(room + length, "\n", sizeof("\n"));
        return room;
}

/* Says what is wrong with a value that set() has refused with ERROR. Returns a new string or NULL.
 */
static char *explain(const ConfItem *item, const char *value, int error) {
        const TypeInfo *type = types + item->type;
        _cleanup_free_ char *minimum = NULL, *maximum = NULL;
        const char *reason = item->complain ? item->complain(value) : NULL;
        char *text;
        int n;

        if (error == -ERANGE && item->maximum > 0) {
                minimum = format_number(type->units, item->minimum);
                maximum = format_number(type->units, item->maximum);
        }

        if (reason)
                n = asprintf(&text, "%s= must not be '%s', which %s", item->name, value, reason);
        else if (minimum && maximum)
                n = asprintf(&text, "%s= must be between %s and %s, not '%s'", item->name, minimum,
                             maximum, value);
        else
                n = asprintf(&text, "%s= must be %s, not '%s'", item->name, type->expected, value);

        return n < 0 ? NULL : text;
}

char *conf_explain(const ConfItem items[], const char *assignment, int error) {
        const char *equals = strchr(assignment, '=');
        size_t n = equals ? (size_t) (equals - assignment) : strlen(assignment);
        char *text;

        for (const ConfItem *item = items; item->name && equals; item++)
                if (strlen(item->name) == n && strncmp(item->name, assignment, n) == 0)
                        return explain(item, equals + 1, error);

        if (asprintf(&text, equals ? "There is no setting '%.*s'" : "'%.*s' is not NAME=VALUE",
                     (int) n, assignment) < 0)
                return NULL;
        return text;
}

static void complain_about_value(
                const Parser *parser, const ConfItem *item, const char *value, int error) {
        _cleanup_free_ char *text = explain(item, value, error);

        complain(parser, LOG_ERR, parser->line, "%s", text ?: item->name);
}

static int set_here(const Parser *parser, const ConfItem *item, const char *value) {
        _cleanup_free_ char *origin = NULL;

        if (asprintf(&origin, "%s:%u", parser->path, parser->line) < 0) {
                origin = NULL;
                return -ENOMEM;
        }

        return set(parser->items, item, parser->conf, value, origin);
}

/* The ini_handler. Always returns 1, for "go on". */
static int on_value(void *userdata, const char *section, const char *name, const char *value) {
        Parser *parser = userdata;

        for (const ConfItem *item = parser->items; item->name; item++) {
                int r;

                if (strcmp(item->section, section) != 0 || strcmp(item->name, name) != 0)
                        continue;

                r = set_here(parser, item, value);
                if (r == -EINVAL || r == -ERANGE) {
                        complain_about_value(parser, item, value, r);
                        parser->error = -EINVAL;
                } else if (r < 0)
                        parser->error = r;
                return 1;
        }

        complain(parser, LOG_WARNING, parser->line, "Unknown setting %s= in section [%s], ignoring",
                 name, section);
        return 1;
}

/* A file that does not exist is skipped. */
static int parse_file(Parser *parser, const char *path) {
        _cleanup_free_ char *text = NULL;
        int r;

        parser->path = path;
        parser->line = 0;

        r = read_file(AT_FDCWD, path, FILE_SIZE_MAX, &text, NULL);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                complain_about_file(parser, "file", r);
                return r;
        }

        parser->text = text;
        r = ini_parse_stream(on_read, parser, on_value, parser);
        if (r < 0)
                return -ENOMEM;
        if (r > 0) {
                complain(parser, LOG_ERR, (unsigned) r, "Neither [Section] nor Name=Value");
                parser->error = -EINVAL;
        }

        return 0;
}

static int is_drop_in(const struct dirent *entry) {
        const char *suffix = strrchr(entry->d_name, '.');

        return entry->d_name[0] != '.' && strcmp(suffix ?: "", ".conf") == 0;
}

/* Unlike alphasort(), the same in every locale. */
static int compare_names(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int parse_drop_ins(Parser *parser, const char *directory) {
        struct dirent **entries;
        int n, r = 0;

        n = scandir(directory, &entries, is_drop_in, compare_names);
        if (n < 0) {
                if (errno == ENOENT)
                        return 0;

                r = -errno;
                parser->path = directory;
                complain_about_file(parser, "directory", r);
                return r;
        }

        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = NULL;

                if (r >= 0)
                        r = asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0
                                            ? -ENOMEM
                                            : parse_file(parser, path);
                free(entries[i]);
        }
        free(entries);

        return r;
}

int conf_load(const ConfItem items[],
              const char *path,
              void *conf,
              ConfReport report,
              void *userdata) {
        Parser parser = {
                .items = items,
                .conf = conf,
                .report = report,
                .userdata = userdata,
        };
        _cleanup_free_ char *directory = NULL;
        int r;

        assert(path);
        assert(report);

        if (asprintf(&directory, "%s.d", path) < 0)
                return -ENOMEM;

        r = parse_file(&parser, path);
        if (r < 0)
                return r;

        r = parse_drop_ins(&parser, directory);
        if (r < 0)
                return r;

        return parser.error;
}

void conf_print_template(const ConfItem items[], const char *program) {
        const char *section = "";

        printf("# SPDX-License-Identifier: LGPL-2.1-or-later\n"
               "#\n"
               "# All settings of %s with their defaults, commented out.\n"
               "# Change them here, or in files NAME.conf in the directory with the name of this file plus .d.\n",
               program);

        for (const ConfItem *item = items; item->name; item++) {
                if (strcmp(section, item->section) != 0)
                        printf("\n[%s]\n", item->section);
                else
                        putchar('\n');
                section = item->section;

                printf("# %s\n#%s=%s\n", item->help, item->name, item->initial);
        }
}
