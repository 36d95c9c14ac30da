/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/file.h"
#include "frame/complaint.h"
#include "frame/options.h"

/* Above all letters: what getopt_long() returns for the first row, and so on. */
#define CODE_FIRST 256

const Option *options_find(const Option options[], const char *name) {
        for (const Option *option = options; option->name; option++)
                if (strcmp(option->name, name) == 0)
                        return option;

        return NULL;
}

static int set_choice(const Option *option, unsigned *field, const char *argument) {
        for (unsigned i = 0; option->choices[i]; i++)
                if (strcmp(option->choices[i], argument) == 0) {
                        *field = i;
                        return 0;
                }

        return -EINVAL;
}

static int set(const Option *option, void *values, const char *argument) {
        void *field = (char *) values + option->offset;
        int r = 0;

        switch (option->type) {
        case OPTION_FLAG:
                *(bool *) field = true;
                break;
        case OPTION_TEXT:
                *(const char **) field = argument;
                break;
        case OPTION_NUMBER:
                r = parse_u64(argument, UINT64_MAX, field);
                if (r >= 0 && *(uint64_t *) field == 0)
                        r = -ERANGE;
                break;
        case OPTION_CHOICE:
                r = set_choice(option, field, argument);
                break;
        }
        if (r < 0)
                return complain(-EINVAL, "Invalid value '%s' for --%s=%s; see --help.", argument,
                                option->name, option->argument);

        return 0;
}

/* The tables for getopt_long(). */
typedef struct Getopt {
        struct option longs[OPTIONS_MAX + 1];
        char letters[2 * OPTIONS_MAX + 2];
} Getopt;

static void make_getopt(const Option options[], Getopt *ret) {
        char *letter = ret->letters;

        *ret = (Getopt){};
        *letter++ = ':'; /* we complain ourselves */

        for (size_t i = 0; options[i].name; i++) {
                assert(i < OPTIONS_MAX);
                ret->longs[i] = (struct option){
                        .name = options[i].name,
                        .has_arg = options[i].argument ? required_argument : no_argument,
                        .val = CODE_FIRST + (int) i,
                };
                if (!options[i].letter)
                        continue;
                *letter++ = options[i].letter;
                if (options[i].argument)
                        *letter++ = ':';
        }
}

static size_t row_of(const Option options[], int code) {
        size_t i = 0;

        if (code >= CODE_FIRST)
                return (size_t) (code - CODE_FIRST);
        while (options[i].letter != code)
                i++;

        return i;
}

/* Says what getopt_long() refused. Of a letter among others it only tells the letter. */
static int complain_option(int code, char *argv[]) {
        const char *word = argv[optind - 1];
        char letter[] = { '-', (char) optopt, '\0' };

        if (optopt > 0 && optopt < CODE_FIRST)
                word = letter;
        if (code == ':')
                return complain(-EINVAL, "Option %s needs a value; see --help.", word);
        if (optopt >= CODE_FIRST)
                return complain(-EINVAL, "Option %s takes no value; see --help.", word);

        return complain(-EINVAL, "Unknown option '%s'; see --help.", word);
}

int options_parse(
                const Option options[], int argc, char *argv[], void *values, uint64_t *ret_given) {
        uint64_t given = 0;
        Getopt tables;
        int code, r;

        make_getopt(options, &tables);
        optind = 0; /* GNU: from the start, also the second time */

        while ((code = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
                size_t i;

                if (code == '?' || code == ':')
                        return complain_option(code, argv);

                i = row_of(options, code);
                r = set(options + i, values, optarg);
                if (r < 0)
                        return r;
                given |= UINT64_C(1) << i;
        }

        *ret_given = given;
        return optind;
}

void option_print_help(const Option *option, FILE *file) {
        char letter[] = "-X, ", left[64];

        letter[1] = option->letter;
        (void) snprintf(left, sizeof(left), "%s--%s%s%s", option->letter ? letter : "    ",
                        option->name, option->argument ? "=" : "", option->argument ?: "");
        (void) fprintf(file, "  %-30s %s\n", left, option->help);
}
