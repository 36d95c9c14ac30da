/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/view/progress.h"
#include "frame/format.h"

/* The cost of a key, in bytes. */
#define KEY_BYTES (8 * KIB)

/* The speed of a machine with two processors and one disk. */
#define TYPICAL_KEYS  10000       /* per second */
#define TYPICAL_BYTES (100 * MIB) /* per second */

#define BAR_LEAST 10
#define BAR_MOST  40

static double work_of(uint64_t keys, uint64_t bytes) {
        return (double) keys * (double) KEY_BYTES + (double) bytes;
}

void progress_take(Progress *progress, const JobView *job, uint64_t usec) {
        ProgressLook *look = progress->looks + progress->n % PROGRESS_LOOKS;
        double done = work_of(job->keys_done, job->bytes_done),
               total = work_of(job->keys_total, job->bytes_total), seconds;
        const ProgressLook *oldest;

        *look = (ProgressLook){ .usec = usec, .work = done, .keys = job->keys_done };
        progress->n++;
        oldest = progress->n < PROGRESS_LOOKS ? progress->looks
                                              : progress->looks + progress->n % PROGRESS_LOOKS;

        progress->share = total > 0 ? MIN(done / total, 1) : 0;
        progress->keys_per_second = 0;
        progress->left_usec = UINT64_MAX;

        seconds = (double) (usec - oldest->usec) / (double) USEC_PER_SEC;
        if (seconds <= 0 || done <= oldest->work)
                return;
        progress->keys_per_second = (double) (job->keys_done - oldest->keys) / seconds;
        progress->left_usec =
                        (uint64_t) (MAX(total - done, 0) * seconds / (done - oldest->work) *
                                    (double) USEC_PER_SEC);
}

/* "12.3k/45.0k keys, 1.2G/4.5G, 10.0k keys/s, 80.1M/s, 2min 3s left" */
static void put_figures(
                FILE *file, const Progress *progress, const JobView *job, bool with_key_rate) {
        char keys[FORMAT_SIZE], all_keys[FORMAT_SIZE], bytes[FORMAT_SIZE], all_bytes[FORMAT_SIZE];
        char rate[FORMAT_SIZE], left[FORMAT_SIZE];

        (void) fprintf(file, "%s/%s %s, %s/%s", format_count(keys, job->keys_done),
                       format_count(all_keys, job->keys_total),
                       plural(job->keys_total, "key", "keys"), format_bytes(bytes, job->bytes_done),
                       format_bytes(all_bytes, job->bytes_total));
        if (with_key_rate && progress->keys_per_second >= 1)
                (void) fprintf(file, ", %s keys/s",
                               format_count(rate, (uint64_t) progress->keys_per_second));
        if (job->bytes_per_second > 0)
                (void) fprintf(file, ", %s/s", format_bytes(rate, job->bytes_per_second));
        if (progress->left_usec != UINT64_MAX && progress->left_usec < 1000 * USEC_PER_DAY)
                (void) fprintf(file, ", %s left", format_span(left, progress->left_usec));
}

static void put_bar(FILE *file, double share, size_t width) {
        size_t filled = (size_t) (share * (double) width);

        (void) putc('[', file);
        for (size_t i = 0; i < width; i++)
                (void) putc(i < filled ? '=' : i == filled ? '>' : ' ', file);
        (void) fputs("] ", file);
}

/* A job that has not counted its keys has no figures; one that is stuck may have a reason. */
static char *format_text(const Progress *progress, const JobView *job, bool with_key_rate) {
        bool running = strcmp(job->state, "running") == 0, counted = job->keys_total > 0;
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        if (!file)
                return NULL;

        if (counted)
                (void) fprintf(file, "%3d%% ", (int) (progress->share * 100));
        if (!running)
                (void) fprintf(file, "%s%s", job->state, counted ? ", " : "");
        else if (!counted)
                (void) fputs(*job->error ? "waiting" : "counting", file);
        if (counted)
                put_figures(file, progress, job, with_key_rate);
        if (*job->error)
                (void) fprintf(file, ". %s", job->error);

        if (fclose(file) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* There is room for a bar in front of TEXT. */
static bool has_room(const char *text, size_t width) {
        return width >= strlen(text) + BAR_LEAST + strlen("[] ");
}

char *progress_format(const Progress *progress, const JobView *job, unsigned width) {
        _cleanup_free_ char *wide = format_text(progress, job, true),
                            *narrow = format_text(progress, job, false);
        const char *text = narrow;
        char *line = NULL, head[32];
        size_t size, rest;
        FILE *file;

        (void) snprintf(head, sizeof(head), "Job %" PRIu32 ": ", job->id);
        rest = width > strlen(head) ? width - strlen(head) : 0;
        file = wide && narrow ? open_memstream(&line, &size) : NULL;
        if (!file)
                return NULL;

        (void) fputs(head, file);
        if (has_room(wide, rest))
                text = wide;
        if (has_room(text, rest)) {
                put_bar(file, progress->share,
                        MIN(rest - strlen(text) - strlen("[] "), (size_t) BAR_MOST));
                rest = strlen(text);
        }
        (void) fprintf(file, "%.*s", (int) rest, text);

        if (fclose(file) != 0) {
                free(line);
                return NULL;
        }
        return line;
}

uint64_t progress_estimate(uint64_t keys, uint64_t bytes, uint64_t rate) {
        double usual = (double) keys / TYPICAL_KEYS + (double) bytes / (double) TYPICAL_BYTES;
        double limited = rate > 0 ? (double) bytes / (double) rate : 0;

        return (uint64_t) (MAX(usual, limited) * (double) USEC_PER_SEC);
}
