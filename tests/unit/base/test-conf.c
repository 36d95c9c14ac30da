/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/conf.h"
#include "base/file.h"

typedef struct Settings {
        ConfOrigins origins;
        char *listen;
        bool proxy;
        uint64_t copies;
        uint64_t value_max;
        uint64_t grace;
} Settings;

#define AT(field) offsetof(Settings, field)

/* clang-format off */
static const ConfItem items[] = {
        { "Http",  "Listen",   CONF_STRING, AT(listen),    "127.0.0.1:3000", 0, 0, "Where to listen.", .live = true },
        { "Http",  "Proxy",    CONF_BOOL,   AT(proxy),     "no",   0, 0,                 "Whether to relay reads.", .live = true },
        { "Store", "Copies",   CONF_UINT,   AT(copies),    "1",    1, 16,                "How many copies to keep.", .live = true },
        { "Store", "ValueMax", CONF_SIZE,   AT(value_max), "5G",   KIB, TIB,             "The largest value." },
        { "Store", "GraceSec", CONF_TIME,   AT(grace),     "10min", 0, 24 * USEC_PER_HOUR, "When garbage goes." },
        {}
};
/* clang-format on */

/* Every report as one line of text: LEVEL FILE:LINE MESSAGE. */
typedef struct Reports {
        char text[4096];
} Reports;

static void on_report(
                int level, const char *file, unsigned line, const char *message, void *userdata) {
        Reports *reports = userdata;
        size_t used = strlen(reports->text);

        (void) snprintf(reports->text + used, sizeof(reports->text) - used, "%s %s:%u %s\n",
                        level == LOG_ERR ? "err" : "warning", file, line, message);
}

static void settings_done(Settings *settings) {
        conf_done(items, settings);
}

#define _cleanup_settings_ _cleanup_(settings_done)

static int enter(void **state) {
        char *directory = strdup("/tmp/dkv-test-conf-XXXXXX");

        *state = directory;
        return directory && mkdtemp(directory) ? chdir(directory) : -1;
}

static int leave(void **state) {
        _cleanup_free_ char *directory = *state, *command = NULL;

        if (chdir("/") < 0 || asprintf(&command, "rm -rf '%s'", directory) < 0)
                return -1;
        return system(command);
}

static void put(const char *path, const char *text) {
        assert_ok(write_file(AT_FDCWD, path, text, strlen(text), 0600));
}

static void assert_set(const char *name, const char *value, size_t offset, uint64_t expected) {
        _cleanup_settings_ Settings settings = {};

        assert_ok(conf_init(items, &settings));
        assert_ok(conf_set(items, &settings, name, value, "here"));
        assert_int_equal(*(uint64_t *) ((char *) &settings + offset), expected);
}

static void assert_not_set(const char *name, const char *value, int error) {
        _cleanup_settings_ Settings settings = {};
        Settings before;

        assert_ok(conf_init(items, &settings));
        before = settings;
        assert_int_equal(conf_set(items, &settings, name, value, "here"), error);
        assert_memory_equal(&settings, &before, sizeof(settings));
}

TEST(defaults_are_set) {
        _cleanup_settings_ Settings settings = {};

        assert_ok(conf_init(items, &settings));
        assert_string_equal(settings.listen, "127.0.0.1:3000");
        assert_false(settings.proxy);
        assert_int_equal(settings.copies, 1);
        assert_int_equal(settings.value_max, 5 * GIB);
        assert_int_equal(settings.grace, 10 * USEC_PER_MIN);
}

TEST(values_have_units) {
        assert_set("ValueMax", "2048", AT(value_max), 2048);
        assert_set("ValueMax", "32K", AT(value_max), 32 * KIB);
        assert_set("ValueMax", "1 G", AT(value_max), GIB);
        assert_set("ValueMax", "1T", AT(value_max), TIB);
        assert_set("GraceSec", "0", AT(grace), 0);
        assert_set("GraceSec", "3", AT(grace), 3 * USEC_PER_SEC);
        assert_set("GraceSec", "7us", AT(grace), 7);
        assert_set("GraceSec", "500ms", AT(grace), 500 * USEC_PER_MSEC);
        assert_set("GraceSec", "90 s", AT(grace), 90 * USEC_PER_SEC);
        assert_set("GraceSec", "2h", AT(grace), 2 * USEC_PER_HOUR);
        assert_set("GraceSec", "1d", AT(grace), 24 * USEC_PER_HOUR);
        assert_set("Copies", "16", AT(copies), 16);
}

TEST(bad_values_change_nothing) {
        assert_not_set("Copies", "0", -ERANGE);
        assert_not_set("Copies", "17", -ERANGE);
        assert_not_set("Copies", "two", -EINVAL);
        assert_not_set("Copies", "2K", -EINVAL);
        assert_not_set("Copies", "-1", -EINVAL);
        assert_not_set("ValueMax", "1k", -EINVAL);
        assert_not_set("ValueMax", "G", -EINVAL);
        assert_not_set("ValueMax", "1GG", -EINVAL);
        assert_not_set("ValueMax", "16777217T", -ERANGE);
        assert_not_set("ValueMax", "99999999999999999999999999", -ERANGE);
        assert_not_set("GraceSec", "1.5s", -EINVAL);
        assert_not_set("GraceSec", "25h", -ERANGE);
        assert_not_set("Proxy", "maybe", -EINVAL);
        assert_not_set("Missing", "1", -ENOENT);
}

TEST(assignment_is_split_at_the_first_equals_sign) {
        _cleanup_settings_ Settings settings = {};

        assert_ok(conf_init(items, &settings));
        assert_ok(conf_set_assignment(items, &settings, "Listen=a=b", "--set"));
        assert_string_equal(settings.listen, "a=b");
        assert_ok(conf_set_assignment(items, &settings, "Listen=", "--set"));
        assert_string_equal(settings.listen, "127.0.0.1:3000");
        assert_int_equal(conf_set_assignment(items, &settings, "Listen", "--set"), -EINVAL);
        assert_int_equal(conf_set_assignment(items, &settings, "=x", "--set"), -ENOENT);
        assert_int_equal(conf_set_assignment(items, &settings, "Copies=17", "--set"), -ERANGE);
}

TEST(booleans_have_four_spellings) {
        static const char *const spellings[] = {
                "yes", "true", "on", "1", "no", "false", "off", "0"
        };
        _cleanup_settings_ Settings settings = {};

        assert_ok(conf_init(items, &settings));
        for (size_t i = 0; i < ELEMENTSOF(spellings); i++) {
                settings.proxy = i >= 4;
                assert_ok(conf_set(items, &settings, "Proxy", spellings[i], NULL));
                assert_int_equal(settings.proxy, i < 4);
        }
}

TEST(file_is_read_with_comments_and_blanks) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        put("conf", "# a comment\n"
                    "; another\n"
                    "\n"
                    "[Http]\n"
                    "  # an indented one\n"
                    "Listen=[::]:3000\n"
                    "\tProxy = yes \n"
                    "[Store]\r\n"
                    "Copies=3\r\n"
                    "GraceSec=5s"); /* no newline at the end */
        assert_ok(conf_init(items, &settings));
        assert_ok(conf_load(items, "conf", &settings, on_report, &reports));
        assert_string_equal(reports.text, "");
        assert_string_equal(settings.listen, "[::]:3000");
        assert_true(settings.proxy);
        assert_int_equal(settings.copies, 3);
        assert_int_equal(settings.grace, 5 * USEC_PER_SEC);
}

TEST(no_file_is_fine) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        assert_ok(conf_init(items, &settings));
        assert_ok(conf_load(items, "conf", &settings, on_report, &reports));
        assert_string_equal(reports.text, "");
        assert_int_equal(settings.copies, 1);
}

TEST(drop_ins_win_in_the_order_of_their_names) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        assert_ok(make_directory("conf.d", 0700));
        put("conf", "[Store]\nCopies=2\nValueMax=2K\nGraceSec=2s\n[Http]\nListen=:1\n");
        put("conf.d/20-b.conf", "[Store]\nCopies=4\n");
        put("conf.d/10-a.conf", "[Store]\nCopies=3\nValueMax=3K\n[Http]\nListen=\n");
        put("conf.d/30-c.conf~", "[Store]\nCopies=5\n");
        put("conf.d/.hidden.conf", "[Store]\nCopies=6\n");
        assert_ok(conf_init(items, &settings));
        assert_ok(conf_load(items, "conf", &settings, on_report, &reports));
        assert_string_equal(reports.text, "");
        assert_int_equal(settings.copies, 4);
        assert_int_equal(settings.value_max, 3 * KIB);
        assert_int_equal(settings.grace, 2 * USEC_PER_SEC);
        assert_string_equal(settings.listen, "127.0.0.1:3000"); /* set back by the empty value */
}

TEST(every_bad_line_is_reported_with_its_number) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        assert_ok(make_directory("conf.d", 0700));
        put("conf", "[Store]\n"
                    "# fine\n"
                    "Copies=100\n"
                    "  ValueMax=lots\n"
                    "NoSuch=1\n"
                    "[Http]\n"
                    "Copies=1\n"
                    "Proxy=perhaps\n");
        put("conf.d/a.conf", "\n[Store]\nnonsense\nCopies=2\n");
        assert_ok(conf_init(items, &settings));
        assert_int_equal(conf_load(items, "conf", &settings, on_report, &reports), -EINVAL);
        assert_string_equal(
                        reports.text,
                        "err conf:3 Copies= must be between 1 and 16, not '100'\n"
                        "err conf:4 ValueMax= must be a size such as 512, 32K or 1G, not 'lots'\n"
                        "warning conf:5 Unknown setting NoSuch= in section [Store], ignoring\n"
                        "warning conf:7 Unknown setting Copies= in section [Http], ignoring\n"
                        "err conf:8 Proxy= must be yes or no, not 'perhaps'\n"
                        "err conf.d/a.conf:3 Neither [Section] nor Name=Value\n");
}

TEST(long_line_is_refused_and_long_comment_is_not) {
        _cleanup_settings_ Settings settings = {};
        char text[2100] = "[Http]\n#";
        Reports reports = {};

        memset(text + strlen(text), 'x', 1000);
        strcat(text, "\nListen=");
        memset(text + strlen(text), 'x', 1000);
        strcat(text, "\nProxy=yes\n");
        put("conf", text);
        assert_ok(conf_init(items, &settings));
        assert_int_equal(conf_load(items, "conf", &settings, on_report, &reports), -EINVAL);
        assert_non_null(strstr(reports.text, "err conf:3 The line is longer than "));
        assert_null(strstr(reports.text, "conf:2"));
        assert_true(settings.proxy);
        assert_string_equal(settings.listen, "127.0.0.1:3000");
}

TEST(unreadable_file_is_an_error) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        assert_ok(make_directory("conf", 0700));
        assert_ok(conf_init(items, &settings));
        assert_int_equal(conf_load(items, "conf", &settings, on_report, &reports), -EISDIR);
        assert_non_null(strstr(reports.text, "err conf:0 Failed to read the file: "));
}

TEST(values_format_as_they_are_written) {
        static const struct {
                const ConfItem *item;
                const char *value;
                const char *formatted;
        } cases[] = {
                { items + 0, "x", "x" },       { items + 1, "on", "yes" },
                { items + 2, "12", "12" },     { items + 3, "1024", "1K" },
                { items + 3, "1025", "1025" }, { items + 3, "2048M", "2G" },
                { items + 4, "0", "0" },       { items + 4, "60", "1min" },
                { items + 4, "90", "90s" },    { items + 4, "1500ms", "1500ms" },
                { items + 4, "1000ms", "1s" }, { items + 4, "24h", "1d" },
                { items + 4, "3us", "3us" },
        };
        _cleanup_settings_ Settings settings = {};

        assert_ok(conf_init(items, &settings));
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *formatted = NULL;

                assert_ok(conf_set(items, &settings, cases[i].item->name, cases[i].value, NULL));
                formatted = conf_format(cases[i].item, &settings);
                assert_string_equal(formatted, cases[i].formatted);
        }
}

/* Prints to FILE what conf_print_template() prints to the standard output. */
static void print_template(const char *path) {
        int saved = dup(STDOUT_FILENO);

        assert_ok(saved);
        assert_int_equal(fflush(stdout), 0);
        assert_non_null(freopen(path, "w", stdout));
        conf_print_template(items, "dkv-test");
        assert_int_equal(fflush(stdout), 0);
        assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
        assert_int_equal(close(saved), 0);
}

TEST(template_states_every_default) {
        _cleanup_settings_ Settings settings = {}, defaults = {};
        _cleanup_free_ char *text = NULL;
        Reports reports = {};

        print_template("conf");
        assert_ok(read_file(AT_FDCWD, "conf", 64 * KIB, &text, NULL));
        assert_non_null(strstr(text, "\n[Http]\n# Where to listen.\n#Listen=127.0.0.1:3000\n"));
        assert_non_null(strstr(text, "\n\n# The largest value.\n#ValueMax=5G\n"));

        /* As it is, it changes nothing; with the settings uncommented, nothing either. */
        for (char *p = strstr(text, "\n#"); p; p = strstr(p + 1, "\n#"))
                if (p[2] != ' ' && p[2] != '\n')
                        p[1] = ' ';
        put("uncommented", text);
        assert_ok(conf_init(items, &settings));
        assert_ok(conf_init(items, &defaults));
        settings.copies = 9;
        assert_ok(conf_load(items, "conf", &settings, on_report, &reports));
        assert_int_equal(settings.copies, 9);
        assert_ok(conf_load(items, "uncommented", &settings, on_report, &reports));
        assert_string_equal(reports.text, "");
        assert_int_equal(settings.copies, defaults.copies);
        assert_int_equal(settings.value_max, defaults.value_max);
        assert_string_equal(settings.listen, defaults.listen);
}

static const char *origin(const Settings *settings, const char *name) {
        for (size_t i = 0; items[i].name; i++)
                if (strcmp(items[i].name, name) == 0)
                        return conf_origin(settings, i);
        return NULL;
}

TEST(origins_say_where_values_come_from) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        assert_ok(make_directory("conf.d", 0700));
        put("conf", "[Store]\nCopies=2\n\nGraceSec=2s\nValueMax=1G\n");
        put("conf.d/a.conf", "\n[Store]\nCopies=3\nValueMax=\n");
        assert_ok(conf_init(items, &settings));
        assert_ok(conf_load(items, "conf", &settings, on_report, &reports));
        assert_ok(conf_set_assignment(items, &settings, "Proxy=no", "--set"));

        assert_string_equal(origin(&settings, "Copies"), "conf.d/a.conf:3");
        assert_string_equal(origin(&settings, "GraceSec"), "conf:4");
        assert_string_equal(origin(&settings, "ValueMax"), ""); /* set back */
        assert_string_equal(origin(&settings, "Proxy"), "--set");
        assert_string_equal(origin(&settings, "Listen"), "");

        /* What is refused leaves the origin as well as the value. */
        assert_int_equal(conf_set(items, &settings, "GraceSec", "x", "here"), -EINVAL);
        assert_string_equal(origin(&settings, "GraceSec"), "conf:4");
}

typedef struct Differences {
        char text[256];
} Differences;

static void on_difference(const ConfItem *item, const char *value, void *userdata) {
        Differences *differences = userdata;
        size_t used = strlen(differences->text);

        (void) snprintf(differences->text + used, sizeof(differences->text) - used, "%s=%s ",
                        item->name, value);
}

TEST(live_settings_are_applied_and_the_others_told) {
        _cleanup_settings_ Settings settings = {}, fresh = {};
        Differences differences = {};

        assert_ok(conf_init(items, &settings));
        assert_ok(conf_init(items, &fresh));
        assert_ok(conf_set(items, &settings, "ValueMax", "1G", "old:1"));
        assert_ok(conf_set(items, &settings, "Copies", "2", "old:2"));
        assert_ok(conf_set(items, &fresh, "Listen", "elsewhere", "new:1"));
        assert_ok(conf_set(items, &fresh, "Proxy", "yes", "new:2"));
        assert_ok(conf_set(items, &fresh, "Copies", "2", "new:3"));
        assert_ok(conf_set(items, &fresh, "ValueMax", "2G", "new:4"));
        assert_ok(conf_set(items, &fresh, "GraceSec", "600s", "new:5"));
        conf_apply(items, &settings, &fresh, on_difference, &differences);

        assert_string_equal(differences.text, "Listen=elsewhere Proxy=yes ValueMax=2G ");
        assert_string_equal(settings.listen, "elsewhere");
        assert_true(settings.proxy);
        assert_int_equal(settings.value_max, GIB); /* is not live */
        assert_string_equal(origin(&settings, "Listen"), "new:1");
        assert_string_equal(origin(&settings, "Copies"), "new:3"); /* the same, elsewhere */
        assert_string_equal(origin(&settings, "ValueMax"), "old:1");
        assert_string_equal(origin(&settings, "GraceSec"), "new:5");

        /* What is not in force is told again each time, what is in force is not. */
        assert_ok(conf_set(items, &fresh, "Listen", "elsewhere", "new:1"));
        assert_ok(conf_set(items, &fresh, "Proxy", "yes", "new:2"));
        differences = (Differences){};
        conf_apply(items, &settings, &fresh, on_difference, &differences);
        assert_string_equal(differences.text, "ValueMax=2G ");
}

static const char *complain_about_name(const char *value) {
        return strchr(value, ' ') ? "has a blank" : NULL;
}

/* clang-format off */
static const ConfItem picky[] = {
        { "Test", "Name",  CONF_STRING, AT(listen), "the default one", 0, 0, "A name.", .complain = complain_about_name },
        { "Test", "Grace", CONF_TIME,   AT(grace),  "1s", USEC_PER_MSEC, USEC_PER_MIN, "A time." },
        {}
};
/* clang-format on */

static void picky_done(Settings *settings) {
        conf_done(picky, settings);
}

static void assert_explained(const char *assignment, int error, const char *expected) {
        _cleanup_(picky_done) Settings settings = {};
        _cleanup_free_ char *text = NULL;

        assert_ok(conf_init(picky, &settings));
        assert_int_equal(conf_set_assignment(picky, &settings, assignment, NULL), error);
        text = conf_explain(picky, assignment, error);
        assert_string_equal(text, expected);
}

TEST(a_refusal_says_what_would_do) {
        assert_explained("Name=a b", -EINVAL, "Name= must not be 'a b', which has a blank");
        assert_explained("Grace=2min", -ERANGE, "Grace= must be between 1ms and 1min, not '2min'");
        assert_explained("Grace=0", -ERANGE, "Grace= must be between 1ms and 1min, not '0'");
        assert_explained(
                        "Grace=soon", -EINVAL,
                        "Grace= must be a time such as 500ms, 10s or 2h, not 'soon'");
        assert_explained("grace=1s", -ENOENT, "There is no setting 'grace'");
        assert_explained("Grac=1s", -ENOENT, "There is no setting 'Grac'");
        assert_explained("Grace", -EINVAL, "'Grace' is not NAME=VALUE");
        assert_explained("", -EINVAL, "'' is not NAME=VALUE");
}

/* It may be one that nobody would be allowed to write, such as "none". */
TEST(an_initial_value_is_not_asked_about) {
        _cleanup_(picky_done) Settings settings = {};

        assert_ok(conf_init(picky, &settings));
        assert_ok(conf_set(picky, &settings, "Name", "good", NULL));
        assert_ok(conf_set(picky, &settings, "Name", "the default one", NULL));
        assert_string_equal(settings.listen, "the default one");
        assert_int_equal(conf_set(picky, &settings, "Name", "a b", NULL), -EINVAL);
        assert_string_equal(settings.listen, "the default one");
}

TEST(limits_are_inclusive) {
        assert_set("Copies", "1", AT(copies), 1);
        assert_set("ValueMax", "1K", AT(value_max), KIB);
        assert_set("ValueMax", "1T", AT(value_max), TIB);
        assert_not_set("ValueMax", "1023", -ERANGE);
        assert_not_set("ValueMax", "1099511627777", -ERANGE);
        assert_set("GraceSec", "24h", AT(grace), USEC_PER_DAY);
        assert_not_set("GraceSec", "86400000001us", -ERANGE);
}

TEST(a_comment_may_follow_a_value) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        put("conf", "[Http] ; of clients\n"
                    "Listen=a;b ; where clients come\n"
                    "[Store]\n"
                    "Copies = 3 ; enough\n");
        assert_ok(conf_init(items, &settings));
        assert_ok(conf_load(items, "conf", &settings, on_report, &reports));
        assert_string_equal(reports.text, "");
        assert_string_equal(settings.listen, "a;b");
        assert_int_equal(settings.copies, 3);
}

/* The last one of a name counts, and earlier ones are checked nevertheless. */
TEST(a_setting_may_stand_twice) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        put("conf", "[Store]\nCopies=2\nCopies=3\n[Http]\n[Store]\nCopies=99\nCopies=4\n");
        assert_ok(conf_init(items, &settings));
        assert_int_equal(conf_load(items, "conf", &settings, on_report, &reports), -EINVAL);
        assert_string_equal(
                        reports.text, "err conf:6 Copies= must be between 1 and 16, not '99'\n");
        assert_int_equal(settings.copies, 4);
}

TEST(a_setting_outside_of_its_section_is_unknown) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        put("conf", "Copies=2\n[store]\nCopies=3\n[Nowhere]\nCopies=4\n");
        assert_ok(conf_init(items, &settings));
        assert_ok(conf_load(items, "conf", &settings, on_report, &reports));
        assert_int_equal(settings.copies, 1);
        assert_non_null(strstr(reports.text, "warning conf:1 "));
        assert_non_null(strstr(reports.text, "section [store]"));
        assert_non_null(strstr(reports.text, "section [Nowhere]"));
}

TEST(a_file_that_is_too_large_is_not_read) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        put("conf", "[Store]\nCopies=2\n");
        assert_ok(truncate("conf", MIB + 1)); /* somebody has named a wrong file */
        assert_ok(conf_init(items, &settings));
        assert_int_equal(conf_load(items, "conf", &settings, on_report, &reports), -EFBIG);
        assert_non_null(strstr(reports.text, "err conf:0 Failed to read the file: "));
        assert_int_equal(settings.copies, 1);
}

TEST(drop_ins_may_stand_alone) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        assert_ok(make_directory("conf.d", 0700));
        put("conf.d/only.conf", "[Store]\nCopies=7\n");
        assert_ok(conf_init(items, &settings));
        assert_ok(conf_load(items, "conf", &settings, on_report, &reports));
        assert_int_equal(settings.copies, 7);
}

/* A daemon must not run without what somebody has put there. */
TEST(drop_ins_that_cannot_be_listed_are_an_error) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        put("conf", "[Store]\nCopies=2\n");
        put("conf.d", "this is no directory");
        assert_ok(conf_init(items, &settings));
        assert_int_equal(conf_load(items, "conf", &settings, on_report, &reports), -ENOTDIR);
        assert_non_null(strstr(reports.text, "err conf.d:0 Failed to read the directory: "));
}

TEST(a_drop_in_that_leads_nowhere_is_skipped) {
        _cleanup_settings_ Settings settings = {};
        Reports reports = {};

        assert_ok(make_directory("conf.d", 0700));
        assert_ok(symlink("/nonexistent", "conf.d/10-gone.conf"));
        put("conf.d/20-there.conf", "[Store]\nCopies=7\n");
        assert_ok(conf_init(items, &settings));
        assert_ok(conf_load(items, "conf", &settings, on_report, &reports));
        assert_int_equal(settings.copies, 7);
}

int main(void) {
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, enter, leave)
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults_are_set),
                cmocka_unit_test(values_have_units),
                cmocka_unit_test(bad_values_change_nothing),
                cmocka_unit_test(assignment_is_split_at_the_first_equals_sign),
                cmocka_unit_test(booleans_have_four_spellings),
                IN_DIRECTORY(file_is_read_with_comments_and_blanks),
                IN_DIRECTORY(no_file_is_fine),
                IN_DIRECTORY(drop_ins_win_in_the_order_of_their_names),
                IN_DIRECTORY(every_bad_line_is_reported_with_its_number),
                IN_DIRECTORY(long_line_is_refused_and_long_comment_is_not),
                IN_DIRECTORY(unreadable_file_is_an_error),
                cmocka_unit_test(values_format_as_they_are_written),
                IN_DIRECTORY(template_states_every_default),
                IN_DIRECTORY(origins_say_where_values_come_from),
                cmocka_unit_test(live_settings_are_applied_and_the_others_told),
                cmocka_unit_test(a_refusal_says_what_would_do),
                cmocka_unit_test(an_initial_value_is_not_asked_about),
                cmocka_unit_test(limits_are_inclusive),
                IN_DIRECTORY(a_comment_may_follow_a_value),
                IN_DIRECTORY(a_setting_may_stand_twice),
                IN_DIRECTORY(a_setting_outside_of_its_section_is_unknown),
                IN_DIRECTORY(a_file_that_is_too_large_is_not_read),
                IN_DIRECTORY(drop_ins_may_stand_alone),
                IN_DIRECTORY(drop_ins_that_cannot_be_listed_are_an_error),
                IN_DIRECTORY(a_drop_in_that_leads_nowhere_is_skipped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
