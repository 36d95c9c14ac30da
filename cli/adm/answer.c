/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Completes what the tables do not know: volumes, jobs, zones and so on. */

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-login.h>

#include "adm/answer.h"
#include "adm/view/job-view.h"
#include "adm/view/view.h"
#include "core/placement/cluster.h"

#define PATIENCE_SEC 1

typedef struct Source {
        const char *verb; /* NULL for any */
        const char *name; /* of the argument or option, see completion.h */
        const char *fit; /* matching states of volumes or jobs, NULL for all; or a kind of word that
                            the shell completes */
        void (*answer)(Context *context, const CompletionQuestion *question, const char *fit);
} Source;

static void leave_to_shell(Context *context, const CompletionQuestion *question, const char *fit) {
        completion_print_kind(fit);
}

static void answer_nothing(Context *context, const CompletionQuestion *question, const char *fit) {
        /* It is a new number; only the user can choose it. */
}

/* The shell has waited long enough. This also ends ssh, if we are waiting for it. */
static void on_alarm(int number) {
        (void) kill(0, SIGTERM);
        _exit(EXIT_SUCCESS);
}

/* With a terminal, ssh would ask for a password in the middle of the command line. A new session
 * has no terminal, and its children end with us. */
static int connect_quietly(Context *context) {
        const struct sigaction action = { .sa_handler = on_alarm };

        if (setsid() < 0 || sigaction(SIGALRM, &action, NULL) < 0 ||
            signal(SIGTERM, SIG_IGN) == SIG_ERR || setenv("SSH_ASKPASS_REQUIRE", "never", true) < 0)
                return -errno;

        (void) fflush(stdout);
        (void) alarm(PATIENCE_SEC);
        return connection_open(&context->connection);
}

static View *get_view(Context *context) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        View *view;

        if (connect_quietly(context) < 0 || view_get(context->connection.bus, &error, &view) < 0)
                return NULL;

        return view;
}

static void answer_volumes(Context *context, const CompletionQuestion *question, const char *fit) {
        _cleanup_(view_freep) View *view = get_view(context);

        for (size_t i = 0; view && i < view->n_volumes; i++) {
                const VolumeView *volume = view->volumes + i;
                char number[DECIMAL_SIZE(uint32_t)], about[256];

                if (fit && !list_has(fit, volume->state))
                        continue;
                (void) snprintf(number, sizeof(number), "%" PRIu32, volume->number);
                (void) snprintf(about, sizeof(about), "%s%s%s, %s", volume->state,
                                volume->maintenance_until > 0 ? ", in maintenance" : "",
                                volume->up ? "" : ", down", volume->url);
                completion_print_answer(question, number, about);
        }
}

/* Each zone once. */
static void answer_zones(Context *context, const CompletionQuestion *question, const char *fit) {
        _cleanup_(view_freep) View *view = get_view(context);

        for (size_t i = 0; view && i < view->n_volumes; i++) {
                const char *zone = view->volumes[i].zone;
                bool known = *zone == '\0';

                for (size_t j = 0; j < i && !known; j++)
                        known = strcmp(view->volumes[j].zone, zone) == 0;
                if (!known)
                        completion_print_answer(question, zone, "");
        }
}

static void answer_epoch(Context *context, const CompletionQuestion *question, const char *fit) {
        _cleanup_(view_freep) View *view = get_view(context);
        char epoch[DECIMAL_SIZE(uint64_t)];

        if (!view)
                return;

        (void) snprintf(epoch, sizeof(epoch), "%" PRIu64, view->epoch);
        completion_print_answer(question, epoch, "current");
}

/* There can be as many as there are volumes. */
static void answer_copies(Context *context, const CompletionQuestion *question, const char *fit) {
        _cleanup_(view_freep) View *view = get_view(context);
        uint32_t n = 0;

        for (size_t i = 0; view && i < view->n_volumes; i++)
                n += strcmp(view->volumes[i].state, "active") == 0;

        for (uint32_t copies = 1; copies <= MIN(n, COPIES_MAX); copies++) {
                char number[DECIMAL_SIZE(uint32_t)], about[48];

                (void) snprintf(number, sizeof(number), "%" PRIu32, copies);
                (void) snprintf(about, sizeof(about), "%s of each value%s", number,
                                copies == view->copies ? " (current)" : "");
                completion_print_answer(question, number, about);
        }
}

static void answer_jobs(Context *context, const CompletionQuestion *question, const char *fit) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(jobs_view_done) JobsView jobs = {};

        if (connect_quietly(context) < 0 ||
            jobs_view_get(context->connection.bus, &error, &jobs) < 0)
                return;

        for (size_t i = 0; i < jobs.n; i++) {
                const JobView *job = jobs.jobs + i;
                char id[DECIMAL_SIZE(uint32_t)], about[64];

                if (fit && !list_has(fit, job->state))
                        continue;
                (void) snprintf(id, sizeof(id), "%" PRIu32, job->id);
                (void) snprintf(about, sizeof(about), "%s, %s", job->type, job->state);
                completion_print_answer(question, id, about);
        }
}

/* The volumes whose daemons are on the bus. */
static void answer_stores(Context *context, const CompletionQuestion *question, const char *fit) {
        StoreView *stores;
        size_t n;

        if (connect_quietly(context) < 0 || stores_get(context->connection.bus, &stores, &n) < 0)
                return;

        for (size_t i = 0; i < n; i++) {
                char number[DECIMAL_SIZE(uint32_t)];

                (void) snprintf(number, sizeof(number), "%" PRIu32, stores[i].number);
                completion_print_answer(question, number, stores[i].directory);
        }
        stores_free(stores, n);
}

/* The volumes that have files. */
static void answer_files(Context *context, const CompletionQuestion *question, const char *fit) {
        _cleanup_free_ char *pattern = NULL;
        glob_t found = {};

        if (asprintf(&pattern, "%s/etc/dkv/volume@*.conf", context->options.root ?: "") < 0) {
                pattern = NULL;
                return;
        }

        if (glob(pattern, 0, NULL, &found) == 0)
                for (size_t i = 0; i < found.gl_pathc; i++) {
                        char *number = strrchr(found.gl_pathv[i], '@') + 1;

                        number[strcspn(number, ".")] = '\0';
                        completion_print_answer(question, number, "");
                }
        globfree(&found);
}

static void answer_machines(Context *context, const CompletionQuestion *question, const char *fit) {
        char **names = NULL;
        int n = sd_get_machine_names(&names);

        for (int i = 0; i < n; i++) {
                completion_print_answer(question, names[i], "");
                free(names[i]);
        }
        free(names);
}

/* clang-format off */
static const Source sources[] = { /* the first match counts */
        { "volume create",        "N",           NULL,                    answer_nothing  },
        { "volume add",           "N",           "new",                   answer_volumes  },
        { "volume delete",        "N",           "active",                answer_volumes  },
        { "volume maintenance",   "N",           "active",                answer_volumes  },
        { "volume remove-config", "N",           NULL,                    answer_files    },
        { "config",               "N",           NULL,                    answer_stores   },
        { NULL,                   "N",           NULL,                    answer_volumes  },
        { "job watch",            "JOB",         "queued running paused", answer_jobs     },
        { "job pause",            "JOB",         "queued running",        answer_jobs     },
        { "job resume",           "JOB",         "paused",                answer_jobs     },
        { "job cancel",           "JOB",         "queued running paused failed", answer_jobs     },
        { "job set",              "JOB",         "queued running paused", answer_jobs     },
        { NULL,                   "JOB",         NULL,                    answer_jobs     },
        { NULL,                   "copies",      NULL,                    answer_copies   },
        { NULL,                   "--volume",    NULL,                    answer_volumes  },
        { NULL,                   "--zone",      NULL,                    answer_zones    },
        { NULL,                   "--epoch",     NULL,                    answer_epoch    },
        { NULL,                   "--machine",   NULL,                    answer_machines },
        { NULL,                   "--host",      "hosts",                 leave_to_shell  },
        { NULL,                   "--sandbox",   "directories",           leave_to_shell  },
        { NULL,                   "--directory", "directories",           leave_to_shell  },
        { NULL,                   "--root",      "directories",           leave_to_shell  },
        {}
};
/* clang-format on */

void answer_print(Context *context, const CompletionQuestion *question) {
        const char *verb = question->verb ? question->verb->name : "";

        for (const Source *source = sources; source->name; source++)
                if (strcmp(source->name, question->name) == 0 &&
                    (!source->verb || strcmp(source->verb, verb) == 0)) {
                        source->answer(context, question, source->fit);
                        return;
                }
}
