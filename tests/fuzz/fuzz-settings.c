/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/conf.h"
#include "fuzz.h"

typedef struct Settings {
        ConfOrigins origins;
        char *text, *address;
        bool flag;
        uint64_t count, size, time, any;
} Settings;

static const char *complain(const char *value) {
        return strchr(value, ':') ? NULL : "has no port";
}

#define AT(field) offsetof(Settings, field)

/* clang-format off */
static const ConfItem items[] = {
        { "Fuzz", "Text",    CONF_STRING, AT(text),    "",      0, 0,            "A text.",    .live = true },
        { "Fuzz", "Address", CONF_STRING, AT(address), "a:1",   0, 0,            "An address.", .complain = complain },
        { "Fuzz", "Flag",    CONF_BOOL,   AT(flag),    "no",    0, 0,            "A switch.",  .live = true },
        { "Fuzz", "Count",   CONF_UINT,   AT(count),   "1",     1, 12,           "A number.",  .live = true },
        { "Fuzz", "Size",    CONF_SIZE,   AT(size),    "64M",   MIB, 16 * GIB,   "A size."   },
        { "Fuzz", "TimeSec", CONF_TIME,   AT(time),    "10min", USEC_PER_SEC, USEC_PER_DAY, "A time." },
        { "Fuzz", "Any",     CONF_UINT,   AT(any),     "0",     0, 0,            "Any number." },
        {}
};
/* clang-format on */

static void check_limits(const Settings *settings) {
        assert(settings->text && strchr(settings->address, ':'));
        assert(settings->count >= 1 && settings->count <= 12);
        assert(settings->size >= MIB && settings->size <= 16 * GIB);
        assert(settings->time >= USEC_PER_SEC && settings->time <= USEC_PER_DAY);
}

/* What a field is written as gives the same field. */
static void check_format(const Settings *settings) {
        Settings again = {};

        assert(conf_init(items, &again) == 0);
        for (const ConfItem *item = items; item->name; item++) {
                _cleanup_free_ char *first = conf_format(item, settings), *second = NULL;

                assert(first && conf_set(items, &again, item->name, first, NULL) == 0);
                second = conf_format(item, &again);
                assert(*first == '\0' || strcmp(first, second) == 0);
        }
        conf_done(items, &again);
}

static void check_assignment(const char *assignment) {
        Settings settings = {};
        int r;

        assert(conf_init(items, &settings) == 0);
        r = conf_set_assignment(items, &settings, assignment, "here");
        if (r < 0) {
                _cleanup_free_ char *why = conf_explain(items, assignment, r);

                assert(why && *why != '\0');
        }
        check_limits(&settings);
        check_format(&settings);
        conf_done(items, &settings);
}

static void on_complaint(
                int level, const char *file, unsigned line, const char *message, void *userdata) {
        (void) level;
        (void) file;
        (void) line;
        assert(*message != '\0');
        *(unsigned *) userdata += 1;
}

static void on_difference(const ConfItem *item, const char *value, void *userdata) {
        (void) userdata;
        assert(item->name && value);
}

static void check_file(const uint8_t *data, size_t size) {
        int fd = memfd_create("settings", MFD_CLOEXEC);
        Settings settings = {}, old = {};
        unsigned complaints = 0;
        char path[64];
        int r;

        assert(fd >= 0 && write(fd, data, size) == (ssize_t) size);
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%i", fd);
        assert(conf_init(items, &settings) == 0 && conf_init(items, &old) == 0);
        assert(conf_load(items, "/nothing", &settings, on_complaint, &complaints) == 0);
        assert(conf_load(items, "/", &settings, on_complaint, &complaints) < 0 && complaints == 1);
        r = conf_load(items, path, &settings, on_complaint, &complaints);
        assert(r == 0 || complaints > 1);
        check_limits(&settings);
        check_format(&settings);
        conf_apply(items, &old, &settings, on_difference, NULL);
        check_limits(&old);
        conf_done(items, &settings);
        conf_done(items, &old);
        (void) close(fd);
}

/* A file of settings; and, up to the first 0, what stands behind --set. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *assignment = fuzz_string(data, size);

        check_assignment(assignment);
        check_file(data, size);
        return 0;
}
