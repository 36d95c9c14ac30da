/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "frame/completion.h"

static bool is_plain(const char *text) {
        for (const char *p = text; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        return false;

        return true;
}

/* Prints PREFIX and WORD as one candidate, unless a line cannot carry the word. */
static void print_word(const char *prefix, const char *word, const char *description) {
        if (!is_plain(word))
                return;

        printf("%s%s\t", prefix, word);
        for (const char *p = description; *p; p++)
                (void) putchar((unsigned char) *p < ' ' || *p == 0x7f ? '?' : *p);
        (void) putchar('\n');
}

void completion_print_kind(const char *kind) {
        printf(":%s\n", kind);
}

void completion_print_answer(
                const CompletionQuestion *question, const char *answer, const char *description) {
        for (int i = 0; i < question->n_arguments; i++)
                if (strcmp(question->arguments[i], answer) == 0)
                        return;

        print_word(question->prefix, answer, description);
}

/* The option whose value is the word after WORD ("--zone", "-D", "-qD"), or NULL. */
static const Option *option_that_waits(const Option options[], const char *word) {
        const Option *option;

        if (strncmp(word, "--", 2) == 0) {
                option = options_find(options, word + 2);
                return option && option->argument ? option : NULL;
        }
        if (*word != '-')
                return NULL;

        for (const char *letter = word + 1; *letter; letter++)
                for (option = options; option->name; option++)
                        if (option->letter == *letter && option->argument)
                                return letter[1] == '\0' ? option : NULL;
        return NULL;
}

/* The option whose value WORD begins ("--zone=r"), or NULL. */
static const Option *option_with_value(const Option options[], const char *word) {
        size_t length = strcspn(word, "=");

        if (strncmp(word, "--", 2) != 0 || word[length] == '\0')
                return NULL;

        for (const Option *option = options; option->name; option++)
                if (option->argument && strlen(option->name) == length - 2 &&
                    strncmp(option->name, word + 2, length - 2) == 0)
                        return option;
        return NULL;
}

/* All that can be given here and has not been given yet. */
static void print_options(
                const Option options[], const Verb *verb, uint64_t given, bool special_only) {
        for (size_t i = 0; options[i].name; i++) {
                const Option *option = options + i;
                char word[64];

                if ((given & UINT64_C(1) << i) || (special_only && !option->special) ||
                    (option->special && !(verb && verb_takes(verb, option->name))))
                        continue;
                (void) snprintf(word, sizeof(word), "%s%s", option->name,
                                option->argument ? "=" : "");
                print_word("--", word, option->help);
        }
}

static int print_value(const Option *option, const char *current, CompletionQuestion *question) {
        (void) snprintf(question->name, sizeof(question->name), "--%s", option->name);
        if (*current == '-')
                (void) snprintf(question->prefix, sizeof(question->prefix), "--%s=", option->name);

        for (const char *const *choice = option->choices; choice && *choice; choice++)
                print_word(question->prefix, *choice, "");
        return option->choices ? 0 : 1;
}

/* The rest of the name behind the words, or NULL if it does not begin with them. */
static const char *rest_of_name(const char *name, int n_words, char *const words[]) {
        for (int i = 0; i < n_words; i++) {
                size_t length = strlen(words[i]);

                if (strncmp(name, words[i], length) != 0 || name[length] != ' ')
                        return NULL;
                name += length + 1;
        }

        return name;
}

/* Whether an earlier verb has the same next word. */
static bool
is_repeated(const Verb verbs[], const Verb *verb, int n_words, char *const words[], size_t length) {
        const char *rest = rest_of_name(verb->name, n_words, words);

        for (const Verb *earlier = verbs; earlier != verb; earlier++) {
                const char *other = rest_of_name(earlier->name, n_words, words);

                if (other && strcspn(other, " ") == length && strncmp(other, rest, length) == 0)
                        return true;
        }

        return false;
}

/* Prints the next words of names. The first of two words is described by all possible second
 * ones. */
static void print_names(const Verb verbs[], int n_words, char *const words[]) {
        for (const Verb *verb = verbs; verb->name; verb++) {
                const char *rest = rest_of_name(verb->name, n_words, words);
                size_t length = rest ? strcspn(rest, " ") : 0;

                if (!rest || is_repeated(verbs, verb, n_words, words, length))
                        continue;
                if (rest[length] == '\0') {
                        print_word("", rest, verb->help);
                        continue;
                }

                printf("%.*s\t", (int) length, rest);
                for (const Verb *other = verb; other->name; other++)
                        if (strncmp(other->name, verb->name,
                                    (size_t) (rest - verb->name) + length + 1) == 0)
                                printf("%s%s", other == verb ? "" : ", ",
                                       other->name + (rest - verb->name) + length + 1);
                (void) putchar('\n');
        }
}

/* The name of the argument at POSITION in the synopsis, without brackets and dots. The last one may
 * repeat. */
static void find_name(const char *args, int position, char *ret, size_t size) {
        const char *token = args + strspn(args, "[");

        while (position-- > 0) {
                const char *next = strchr(token, ' ');

                if (!next)
                        break;
                token = next + 1 + strspn(next + 1, "[");
        }

        (void) snprintf(ret, size, "%.*s", (int) strcspn(token, " ]."), token);
}

/* Prints the choices "on|off", which it cuts apart. */
static void print_choices(char *choices) {
        char *state;

        for (char *one = strtok_r(choices, "|", &state); one; one = strtok_r(NULL, "|", &state))
                print_word("", one, "");
}

static int print_argument(const char *current, CompletionQuestion *question) {
        char *name = question->name;
        size_t length;

        find_name(question->verb->args, question->n_arguments, name, sizeof(question->name));
        if (strchr(name, '|')) {
                print_choices(name);
                return 0;
        }

        length = strcspn(name, "=");
        if (name[length] == '\0')
                return 1;

        /* "copies=N": first the name; once that is typed, the value. */
        name[length + 1] = '\0';
        if (strncmp(current, name, length + 1) != 0) {
                print_word("", name, question->verb->help);
                return 0;
        }

        (void) snprintf(question->prefix, sizeof(question->prefix), "%s", name);
        name[length] = '\0';
        return 1;
}

/* Whether there is a "--", behind which no word is an option. */
static bool has_end_of_options(int argc, char *const argv[]) {
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--") == 0)
                        return true;

        return false;
}

int completion_print(
                const Verb verbs[],
                const Option options[],
                int argc,
                char *argv[],
                void *values,
                CompletionQuestion *ret) {
        const char *current = argc > 1 ? argv[argc - 1] : "";
        int n = argc > 1 ? argc - 1 : argc, words = 0, first;
        bool ended = has_end_of_options(n, argv);
        const Option *option = ended ? NULL : option_with_value(options, current);
        uint64_t given;

        *ret = (CompletionQuestion){};

        if (!option && !ended && n > 1 && (option = option_that_waits(options, argv[n - 1])))
                n--; /* or options_parse() would complain about its missing value */

        first = options_parse(options, n, argv, values, &given);
        if (first < 0)
                return first;

        ret->arguments = argv + first;
        ret->n_arguments = n - first;
        ret->verb = verbs_find(verbs, ret->n_arguments, ret->arguments, &words);
        if (ret->verb) {
                ret->arguments += words;
                ret->n_arguments -= words;
        }

        if (option)
                return print_value(option, current, ret);
        if (*current == '-' && !ended)
                print_options(options, ret->verb, given, false);
        else if (!ret->verb)
                print_names(verbs, ret->n_arguments, ret->arguments);
        else if (ret->n_arguments < ret->verb->max_args)
                return print_argument(current, ret);
        else if (!ended)
                print_options(options, ret->verb, given, true);

        return 0;
}
