/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "bench/load/options.h"
#include "frame/complaint.h"

#define AT(field) offsetof(Options, field)

/* clang-format off */
static const ConfItem items[] = {
        { "Load",   "connections",  CONF_UINT,   AT(connections),   "32",     1, 65536, "Number of concurrent requests" },
        { "Load",   "threads",      CONF_UINT,   AT(threads),       "1",      1, 256,   "Number of threads that share the connections" },
        { "Load",   "duration",     CONF_TIME,   AT(duration_usec), "0",      0, 0,     "How long to run (10s if no count is given either)" },
        { "Load",   "count",        CONF_UINT,   AT(count),         "0",      0, 0,     "Number of requests to make" },
        { "Load",   "rate",         CONF_UINT,   AT(rate),          "0",      0, 0,     "Requests per second in total; latency counts from the intended start" },
        { "Load",   "timeout",      CONF_TIME,   AT(timeout_usec),  "30s",    0, 0,     "Give up a request when nothing moves for this long" },
        { "Load",   "retry",        CONF_TIME,   AT(retry_usec),    "0",      0, 0,     "Keep retrying for this long when no server is available" },
        { "Keys",   "keys",         CONF_UINT,   AT(keys),          "100000", 1, UINT64_C(1) << 40, "Number of keys" },
        { "Keys",   "pattern",      CONF_STRING, AT(pattern),       "sequential", 0, 0, "sequential, random, or zipf, which favours low numbers" },
        { "Keys",   "prefix",       CONF_STRING, AT(prefix),        "bench/", 0, 0,     "Prefix of the keys; a number follows" },
        { "Keys",   "seed",         CONF_UINT,   AT(seed),          "0",      0, 0,     "Seed of the random numbers" },
        { "Values", "size",         CONF_STRING, AT(size),          "1K",     0, 0,     "SIZE, MIN-MAX (log-uniform) or SIZE:WEIGHT,…" },
        { "Values", "read",         CONF_UINT,   AT(read_percent),  "50",     0, 100,   "Percentage of reads in a mixed load" },
        { "Values", "verify",       CONF_BOOL,   AT(verify),        "yes",    0, 0,     "Compare every byte that is read" },
        { "HTTP",   "follow",       CONF_BOOL,   AT(follow),        "yes",    0, 0,     "Follow redirects" },
        { "HTTP",   "expect",       CONF_BOOL,   AT(expect),        "no",     0, 0,     "Wait for 100 Continue before sending a body" },
        { "HTTP",   "chunked",      CONF_BOOL,   AT(chunked),       "no",     0, 0,     "Send bodies in chunks, without their length" },
        { "HTTP",   "tickets",      CONF_BOOL,   AT(tickets),       "no",     0, 0,     "get: request all redirects first, then measure their targets" },
        { "HTTP",   "raw",          CONF_BOOL,   AT(raw),           "no",     0, 0,     "get: any server's URL, numbered if it has no path; not compared" },
        { "Result", "acknowledged", CONF_STRING, AT(acknowledged),  "",       0, 0,     "Record each write in this file, for the verb check" },
        { "Result", "allow-errors", CONF_BOOL,   AT(allow_errors),  "no",     0, 0,     "Count errors, but do not fail because of them" },
        { "Result", "json",         CONF_BOOL,   AT(json),          "no",     0, 0,     "Print one JSON document" },
        { "Result", "progress",     CONF_BOOL,   AT(progress),      "no",     0, 0,     "Show progress every second (yes on a terminal)" },
        { "Result", "help",         CONF_BOOL,   AT(help),          "no",     0, 0,     "Show this help" },
        { "Result", "version",      CONF_BOOL,   AT(version),       "no",     0, 0,     "Show the version" },
        {}
};
/* clang-format on */

static const ConfItem *find(const char *name) {
        for (const ConfItem *item = items; item->name; item++)
                if (strcmp(item->name, name) == 0)
                        return item;

        return NULL;
}

static bool takes_value(const char *name) {
        const ConfItem *item = find(name);

        return item && item->type != CONF_BOOL;
}

static int set(Options *options, const char *name, const char *value) {
        const ConfItem *item = find(name);
        int r;

        if (!item)
                return complain(-EINVAL, "Unknown option '--%s'; see --help.", name);
        if (!value && takes_value(name))
                return complain(-EINVAL, "Option --%s needs a value; see --help.", name);

        r = conf_set(items, options, name, value ?: "yes", NULL);
        return r < 0 ? complain(-EINVAL, "Invalid value '%s' for --%s; see --help.", value, name)
                     : 0;
}

int options_parse(Options *options, int argc, char *argv[]) {
        int n = 0, r;

        r = conf_init(items, options);
        if (r < 0)
                return complain(r, "Failed to set the options up: %m");
        options->progress = isatty(STDERR_FILENO) == 1;

        for (int i = 1; i < argc; i++) {
                _cleanup_free_ char *name = NULL;
                const char *value;
                size_t length;

                if (strncmp(argv[i], "--", 2) != 0) {
                        argv[n++] = argv[i];
                        continue;
                }

                length = strcspn(argv[i] + 2, "=");
                value = argv[i][2 + length] == '=' ? argv[i] + 2 + length + 1 : NULL;
                name = strndup(argv[i] + 2, length);
                if (!name)
                        return complain(-ENOMEM, "Failed to read the options: %m");

                if (!value && takes_value(name) && i + 1 < argc)
                        value = argv[++i];

                r = set(options, name, value);
                if (r < 0)
                        return r;
        }

        return n;
}

void options_done(Options *options) {
        conf_done(items, options);
}

void options_print_help(void) {
        static const char *const values[] = {
                [CONF_STRING] = "=TEXT", [CONF_BOOL] = "[=yes|no]", [CONF_UINT] = "=N",
                [CONF_SIZE] = "=SIZE",   [CONF_TIME] = "=TIME",
        };
        const char *section = "";

        for (const ConfItem *item = items; item->name; item++) {
                char left[64];

                if (strcmp(section, item->section) != 0)
                        printf("\n%s:\n", section = item->section);

                (void) snprintf(left, sizeof(left), "--%s%s", item->name, values[item->type]);
                printf("  %-26s %s", left, item->help);
                if (strcmp(item->initial, "no") != 0 && strcmp(item->initial, "0") != 0 &&
                    *item->initial)
                        printf(" (%s)", item->initial);
                putchar('\n');
        }
}

bool options_wait_for_value(const char *word) {
        return strncmp(word, "--", 2) == 0 && takes_value(word + 2);
}

/* PREFIX is "--name=", or empty where the value is a word of its own. */
static void print_values(const char *name, const char *prefix) {
        const ConfItem *item = find(name);

        if (item && item->type == CONF_BOOL)
                printf("%syes\t\n%sno\t\n", prefix, prefix);
        else if (strcmp(name, "pattern") == 0)
                printf("%ssequential\t\n%srandom\t\n%szipf\t\n", prefix, prefix, prefix);
        else if (strcmp(name, "acknowledged") == 0)
                puts(":files");
}

/* A flag that is set by default is offered as "=no". */
static void print_names(void) {
        for (const ConfItem *item = items; item->name; item++) {
                const char *value = item->type != CONF_BOOL             ? "="
                                    : strcmp(item->initial, "yes") == 0 ? "=no"
                                                                        : "";

                printf("--%s%s\t%s\n", item->name, value, item->help);
        }
}

bool options_print_completion(int argc, char *const argv[]) {
        const char *word = argv[argc - 1];
        size_t length = strcspn(word, "=");

        if (argc > 1 && options_wait_for_value(argv[argc - 2])) {
                print_values(argv[argc - 2] + 2, "");
                return true;
        }
        if (*word != '-')
                return false;

        if (strncmp(word, "--", 2) == 0 && word[length] == '=') {
                _cleanup_free_ char *name = strndup(word + 2, length - 2),
                                    *prefix = strndup(word, length + 1);

                if (name && prefix)
                        print_values(name, prefix);
        } else
                print_names();
        return true;
}
