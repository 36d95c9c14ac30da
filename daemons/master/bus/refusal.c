/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bus/bus.h"
#include "master/bus/refusal.h"
#include "master/job/job.h"
#include "master/lead/lead.h"

typedef struct Sentence {
        unsigned asked; /* a set of Asked; 0 for all */
        int error;
        const char *subject; /* NULL for the volume or job */
        const char *rest;
} Sentence;

#define OF(asked)     (1U << (asked))
#define QUOTE(number) #number
#define TEXT(number)  QUOTE(number)

/* clang-format off */
static const Sentence sentences[] = { /* the first that fits counts */
        { OF(ASKED_JOB),    -ENOENT,    NULL, "does not exist any more." },
        { OF(ASKED_JOB),    -EBUSY,     NULL, "has ended already." },
        { OF(ASKED_JOB),    -EINVAL,    NULL, "makes from 1 to " TEXT(JOB_PARALLEL_MAX) " calls at a time." },
        { OF(ASKED_DELETE), -ENOENT,    NULL, "is not known to the master." },
        { OF(ASKED_DELETE), -EBUSY,     NULL, "was removed already." },
        { OF(ASKED_DELETE), -EDQUOT,    "Then", "fewer active volumes would be left than each value has copies." },
        { OF(ASKED_DELETE), -ENOSPC,    "The other volumes", "have less free space than is to be moved." },
        { OF(ASKED_COPIES), -EDQUOT,    "There", "are fewer active volumes than that many copies." },
        { OF(ASKED_ADD) | OF(ASKED_SETTINGS), -ENOENT, NULL, "is not known to the master; start it first." },
        { OF(ASKED_ADD) | OF(ASKED_SETTINGS), -EBUSY,  NULL, "was removed from the cluster." },
        { OF(ASKED_ADD),      -EHOSTDOWN, NULL, "does not report; start it first." },
        { OF(ASKED_SETTINGS), -EINVAL,    NULL, "cannot have these values." },
        { 0, -ENOSPC, "The master's disk", "is full." },
        { 0, -EAGAIN, "Another plan", "is being made; try again in a while." },
        {}
};
/* clang-format on */

static bool has_number(const JobStatus *job, uint32_t number) {
        for (size_t i = 0; i < job->n_numbers; i++)
                if (job->numbers[i] == number)
                        return true;
        return false;
}

/* The job that drains a volume: the last one that is about it, unless that has let go of it. 0 if
 * there is none. */
static uint32_t find_drain_of(const JobStatus jobs[], size_t n, uint32_t number) {
        for (size_t i = n; i-- > 0;)
                if (jobs[i].type == JOB_DRAIN && has_number(jobs + i, number))
                        return jobs[i].state == JOB_DONE || jobs[i].state == JOB_CANCELLED
                                               ? 0
                                               : jobs[i].id;
        return 0;
}

/* If the volume is being drained, says so and by which job. Returns an error that is told, or 0. */
static int refuse_drained(
                const JobStatus jobs[], size_t n, int r, uint32_t number, sd_bus_error *error) {
        uint32_t id = find_drain_of(jobs, n, number);

        if (id == 0)
                return 0;
        return bus_fail(error, r,
                        "Volume %" PRIu32 " is being drained by job %" PRIu32
                        "; cancel that job first, or wait for its end.",
                        number, id);
}

/* Too few volumes are active, perhaps because some are being drained. Returns as above. */
static int refuse_copies(const JobStatus jobs[], size_t n, int r, sd_bus_error *error) {
        for (size_t i = n; i-- > 0;)
                if (jobs[i].type == JOB_DRAIN &&
                    find_drain_of(jobs, n, jobs[i].numbers[0]) == jobs[i].id)
                        return bus_fail(error, r,
                                        "There are fewer active volumes than that many copies; "
                                        "volume %" PRIu32 " is being drained by job %" PRIu32 ".",
                                        jobs[i].numbers[0], jobs[i].id);
        return 0;
}

/* What a job that is under way has to do with it. Returns as above. */
static int refuse_for_job(
                const RefusalSource *source,
                Asked asked,
                int r,
                uint32_t number,
                sd_bus_error *error) {
        _cleanup_free_ JobStatus *jobs = NULL;
        size_t n;
        bool is_drained = r == -EBUSY && number > 0 &&
                          (asked == ASKED_ADD || asked == ASKED_DELETE);
        bool is_copies = r == -EDQUOT && asked == ASKED_COPIES;

        if (!is_drained && !is_copies)
                return 0;
        if (jobs_list(source->jobs, &jobs, &n) < 0)
                return 0; /* a shorter sentence will do */
        return is_drained ? refuse_drained(jobs, n, r, number, error)
                          : refuse_copies(jobs, n, r, error);
}

/* A volume may be unknown because it belongs to another cluster. Returns as above. */
static int refuse_stranger(const RefusalSource *source, uint32_t number, sd_bus_error *error) {
        char why[LEAD_REASON_SIZE] = "";

        lead_explain_stranger(source->lead, number, why);
        return *why ? bus_fail(error, -EEXIST, "%s", why) : 0;
}

static const Sentence *find_sentence(Asked asked, int r) {
        const Sentence *sentence = sentences;

        while (sentence->rest &&
               (sentence->error != r || (sentence->asked != 0 && !(sentence->asked & OF(asked)))))
                sentence++;
        return sentence->rest ? sentence : NULL;
}

#define SUBJECT_SIZE 32

/* What the sentence is about. */
static void name(Asked asked, uint32_t number, char ret[static SUBJECT_SIZE]) {
        if (number > 0)
                (void) snprintf(ret, SUBJECT_SIZE, "%s %" PRIu32,
                                asked == ASKED_JOB ? "Job" : "Volume", number);
        else
                (void) snprintf(ret, SUBJECT_SIZE, "%s",
                                asked == ASKED_JOB ? "A job" : "One of the volumes");
}

int refuse(const RefusalSource *source, Asked asked, int r, uint32_t number, sd_bus_error *error) {
        const Sentence *sentence = find_sentence(asked, r);
        char subject[SUBJECT_SIZE];
        int k;

        if (r == -ENOENT && asked == ASKED_ADD && number > 0) {
                k = refuse_stranger(source, number, error);
                if (k < 0)
                        return k;
        }
        k = refuse_for_job(source, asked, r, number, error);
        if (k < 0)
                return k;
        if (!sentence)
                return bus_fail(error, r, NULL);

        name(asked, number, subject);
        return bus_fail(error, r, "%s %s", sentence->subject ?: subject, sentence->rest);
}
