/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/json.h"
#include "base/log.h"
#include "base/periodic.h"
#include "core/call/wire.h"
#include "core/key.h"
#include "core/limits.h"
#include "store/object/object-reach.h"
#include "volume/upkeep/report.h"

/* The least time between reports that were asked for. */
#define SOON_USEC (20 * USEC_PER_MSEC)

/* And once all masters were asked and none leads. */
#define ROUND_USEC (100 * USEC_PER_MSEC)

/* Hides the id of the machine, which is nobody else's business. */
#define DISK_APPLICATION \
        SD_ID128_MAKE(1f, 6a, 0e, 5d, 92, c4, 4b, 7e, 8d, 33, 70, 51, ae, 0b, c9, 46)

struct Report {
        ReportOptions options; /* but for the zone and the interval */
        Periodic *timer;
        atomic_bool is_accepted;
        atomic_bool is_due;               /* one was asked for that has not begun yet */
        atomic_uint_least64_t taken_usec; /* when the leader that is followed took one; monotonic */
        atomic_uint_least64_t grace_usec;

        pthread_mutex_t lock; /* for what follows */
        char *zone;
        char reason[REPORT_ERROR_SIZE]; /* why the master did not accept the last one */

        /* On the client's thread only */
        bool is_busy;         /* a call is under way */
        bool is_wanted_again; /* and another one is to follow at once */
        RpcCallHandle *call;  /* that one */
        const char *url;      /* where it goes; borrowed */
        size_t n_turns;       /* from master to master, since one has taken a report */
        uint64_t sent_usec;   /* when the last one was; monotonic */
        uint64_t delay_usec;  /* half of the way there and back, at the last one */
        int error;            /* of the last one, so that each kind of failure is logged once */
        bool has_wrong_clock; /* and has logged it */
        bool is_nearly_full;  /* likewise */
};

/* A number that the volumes on one file system of one machine share, so that their space is
 * counted once. 0 if it cannot be told. */
static uint64_t find_disk(const char *directory) {
        char name[SD_ID128_STRING_MAX + 32], machine[SD_ID128_STRING_MAX];
        sd_id128_t id;
        struct stat st;

        /* The id of the boot serves a machine that has no id of its own. */
        if (stat(directory, &st) < 0 ||
            (sd_id128_get_machine_app_specific(DISK_APPLICATION, &id) < 0 &&
             sd_id128_get_boot(&id) < 0))
                return 0;

        (void) snprintf(name, sizeof(name), "%s/%lx", sd_id128_to_string(id, machine),
                        (unsigned long) st.st_dev);
        return key_hash(name);
}

/* By these numbers the master sees whether it, or this store, is older than it should be. */
static void add_reach(const ReportOptions *options, Json *json) {
        ObjectStore *store = options->copies->store;
        Reach reach = object_store_reach(store);

        json_add_uint(json, "version_max", reach.version);
        json_add_uint(json, "revision", reach.revision);
        json_add_uint(json, "objects_ever", reach.objects);
        json_add_uint(json, "damaged_pages",
                      environment_damaged_pages(object_store_environment(store)));
        json_add_uint(json, "deletion", deletions_last(options->deletions));
}

static void add_zone(Report *report, Json *json) {
        (void) pthread_mutex_lock(&report->lock);
        json_add_string(json, "zone", report->zone);
        (void) pthread_mutex_unlock(&report->lock);
}

/* The signature says who reports. The delay is how long a report seems to take to the master. */
static int make_body(Report *report, const ObjectStoreCounters *counters, Buffer *ret) {
        const ReportOptions *options = &report->options;
        _cleanup_(json_freep) Json *json = json_new_object();
        _cleanup_free_ char *text = NULL;

        json_add_uint(json, "wire", WIRE_VERSION);
        json_add_string(json, "url", options->url);
        add_zone(report, json);
        json_add_uint(json, "free", counters->disk_free);
        json_add_uint(json, "size", counters->disk_size);
        json_add_uint(json, "disk", find_disk(options->directory));
        json_add_uint(json, "objects", counters->objects);
        json_add_uint(json, "bytes", counters->bytes);
        json_add_uint(json, "pending", pending_count(options->copies->pending));
        add_reach(options, json);
        faults_add(options->copies->faults, json);
        json_add_uint(json, "delay", report->delay_usec);
        json_add_uint(json, "clock", clock_realtime());

        text = json_format(json, false);
        if (!text)
                return -ENOMEM;
        buffer_put(ret, text, strlen(text));
        return buffer_error(ret);
}

/* From now on the master's clock counts, whatever this machine's says. */
static void note_clock(Report *report, uint64_t clock) {
        uint64_t delay = (clock_monotonic() - report->sent_usec) / 2, now = clock_realtime(), size;
        bool is_ahead, is_wrong;

        clock += delay;
        clock_set_cluster(clock);
        is_ahead = now > clock;
        size = is_ahead ? now - clock : clock - now;
        is_wrong = size >= CLOCK_SKEW_TOLD_SEC * USEC_PER_SEC + delay;
        if (is_wrong && !report->has_wrong_clock)
                log_event(LOG_WARNING, EVENT_CLOCK_WRONG, NULL,
                          "The clock of this machine is %" PRIu64
                          " s %s that of the master at '%s'; tickets and signatures are checked by the master's.",
                          (size + USEC_PER_SEC / 2) / USEC_PER_SEC,
                          is_ahead ? "ahead of" : "behind",
                          master_link_url(report->options.master));
        else if (!is_wrong && report->has_wrong_clock)
                log_notice("The clock of this machine is right again.");
        report->has_wrong_clock = is_wrong;
}

static int read_answer(Report *report, const RpcResult *result) {
        Allegiance *allegiance = report->options.allegiance;
        _cleanup_(json_freep) Json *answer = NULL;
        uint64_t grace_usec, revision, token, version, clock;
        int r;

        r = json_parse((const char *) result->body, result->body_size, &answer);
        if (r < 0)
                return r;
        if (json_get_uint(answer, "clock", &clock) < 0)
                return -EBADMSG;
        note_clock(report, clock);
        if (json_get_uint(answer, "grace_usec", &grace_usec) < 0)
                return -ETIME; /* by the master's clock the report has expired */
        r = allegiance_accept(allegiance, &result->lead);
        if (r < 0)
                return r;

        /* A new leader is not followed yet: that it took a report is no sign of life of the old
         * one. */
        if (allegiance_follows(allegiance, &result->lead))
                atomic_store(&report->taken_usec, clock_monotonic());

        atomic_store(&report->grace_usec, grace_usec);
        if (json_get_uint(answer, "revision", &revision) >= 0) {
                object_store_hear(report->options.copies->store, revision);
                object_store_save_reach(report->options.copies->store);
        }
        if (json_get_uint(answer, "sweep", &token) >= 0 &&
            json_get_uint(answer, "sweep_version", &version) >= 0)
                sweep_hear(report->options.sweep, token, version);
        return 0;
}

/* What the master says about a refusal. */
static void explain_refusal(
                const char *master, const RpcResult *result, char ret[static REPORT_ERROR_SIZE]) {
        if (result->detail)
                (void) snprintf(ret, REPORT_ERROR_SIZE,
                                "The master at '%s' refuses this volume: %s", master,
                                result->detail);
        else
                (void) snprintf(ret, REPORT_ERROR_SIZE,
                                "What is at '%s' refuses this volume: is that a master of dkv?",
                                master);
}

/* Why the master does not take our reports; an empty string if it does. */
static void explain(
                const char *master,
                const char *directory,
                int error,
                const RpcResult *result,
                char ret[static REPORT_ERROR_SIZE]) {
        *ret = '\0';
        if (error == -EACCES)
                (void) snprintf(ret, REPORT_ERROR_SIZE,
                                "The master at '%s' has another secret than this volume; copy its dkv.secret here "
                                "and restart.",
                                master);
        else if (error == -EKEYREVOKED && result->refusal == 0)
                (void) snprintf(ret, REPORT_ERROR_SIZE,
                                "The master at '%s' is older than the one that this volume followed last, "
                                "and is not followed.",
                                master);
        else if (error == -EREMOTE && result->refusal == 0)
                (void) snprintf(ret, REPORT_ERROR_SIZE,
                                "The master at '%s' leads another cluster than that of the store in '%s'.",
                                master, directory);
        else if (result->refusal == -ENOLINK || result->refusal == -EDESTADDRREQ)
                (void) snprintf(ret, REPORT_ERROR_SIZE,
                                "No master leads at the moment; the last one that was asked is at '%s'.",
                                master);
        else if (result->refusal < 0)
                explain_refusal(master, result, ret);
        else if (error < 0)
                (void) snprintf(ret, REPORT_ERROR_SIZE,
                                "The master at '%s' cannot be reached, trying again: %s.", master,
                                result->reason);
}

/* Logs once why the master does not take reports, and once that it does again. */
static void log_change(Report *report, int error, const RpcResult *result) {
        const char *master = report->url;
        char reason[REPORT_ERROR_SIZE];

        if (error == report->error)
                return;

        explain(master, report->options.directory, error, result, reason);
        if (error == 0)
                log_notice("The master at '%s' knows this volume.", master);
        else if (error == -EACCES)
                log_event(LOG_ERR, EVENT_SECRET_MISMATCH, NULL, "%s", reason);
        else if (error == -EREMOTE)
                log_event(LOG_ERR, EVENT_FOREIGN_STORE, NULL, "%s", reason);
        else if (result->refusal < 0 && result->refusal != -ENOLINK &&
                 result->refusal != -EDESTADDRREQ)
                log_error("%s", reason);
        else
                log_warning("%s", reason);
        report->error = error;

        (void) pthread_mutex_lock(&report->lock);
        memcpy(report->reason, reason, sizeof(reason));
        (void) pthread_mutex_unlock(&report->lock);
}

static void send_report(void *userdata);

/* Asks for a report; from any thread. */
static void ask(Report *report, uint64_t delay_usec) {
        if (!atomic_exchange(&report->is_due, true))
                (void) master_link_post(report->options.master, delay_usec, send_report, report);
}

/* The report did not get to a master that leads; another one is asked. Returns whether all were
 * asked by now. */
static bool turn(Report *report) {
        bool is_round = ++report->n_turns % master_link_count(report->options.master) == 0;

        ask(report, is_round ? ROUND_USEC : SOON_USEC);
        return is_round;
}

static void on_answer(const RpcResult *result, void *userdata) {
        Report *report = userdata;
        int r = rpc_result_error(result);

        report->call = rpc_call_unref(report->call);
        if (r == 0)
                r = read_answer(report, result);
        if (r == 0) {
                report->delay_usec = (clock_monotonic() - report->sent_usec) / 2;
                report->n_turns = 0;
        }

        /* A master that does not know yet who is who says so within a moment. */
        if (r == -ETIME) {
                report->is_wanted_again = report->error != r; /* by the right time */
                report->error = r;
        } else if (master_link_judge(report->options.master, report->url, r, result)) {
                if (turn(report))
                        log_change(report, r, result);
        } else if (r != -ESHUTDOWN && r != -EINPROGRESS)
                log_change(report, r, result);
        atomic_store(&report->is_accepted, r == 0);

        report->is_busy = false;
        if (r != -ESHUTDOWN && (report->is_wanted_again || r == -EINPROGRESS))
                master_link_refresh(report->options.master);
        report->is_wanted_again = false;
}

static void log_space(Report *report, const ObjectStoreCounters *counters) {
        bool nearly_full = disk_is_nearly_full(counters->disk_free, counters->disk_size);

        if (nearly_full && !report->is_nearly_full)
                log_event(LOG_WARNING, EVENT_DISK_NEARLY_FULL, NULL,
                          "Only %" PRIu64 " MiB of %" PRIu64 " MiB are left for values in '%s'.",
                          counters->disk_free / MIB, counters->disk_size / MIB,
                          report->options.directory);
        report->is_nearly_full = nearly_full;
}

static int start_call(Report *report) {
        _cleanup_(buffer_done) Buffer body = {};
        ObjectStoreCounters counters;
        int r;

        r = object_store_counters(report->options.copies->store, &counters);
        if (r < 0)
                return r;
        log_space(report, &counters);

        r = make_body(report, &counters, &body);
        if (r < 0)
                return r;

        report->sent_usec = clock_monotonic();
        report->is_busy = true;
        r = master_link_report(
                        report->options.master, &body, on_answer, report, &report->call,
                        &report->url);
        if (r < 0)
                report->is_busy = false;
        return r;
}

static void send_report(void *userdata) {
        Report *report = userdata;
        int r;

        atomic_store(&report->is_due, false);
        if (report->is_busy) {
                report->is_wanted_again = true;
                if (report->url != master_link_url(report->options.master))
                        rpc_call_cancel(report->call); /* another master leads */
                return;
        }

        report->sent_usec = clock_monotonic();
        r = start_call(report);
        if (r < 0)
                (void) log_warning_errno(r, "Failed to report to the master, trying again: %m");
}

/* The timer alone is no reason for two reports in a row. */
static void send_regular(void *userdata) {
        Report *report = userdata;

        if (!report->is_busy)
                send_report(report);
}

static void on_tick(void *userdata) {
        Report *report = userdata;

        (void) master_link_post(report->options.master, 0, send_regular, report);
}

/* For the master link; from any thread. */
static void on_refresh(void *userdata) {
        ask(userdata, SOON_USEC);
}

static int set_zone(Report *report, const char *text) {
        char *zone = strdup(text);

        if (!zone)
                return -ENOMEM;

        (void) pthread_mutex_lock(&report->lock);
        free(report->zone);
        report->zone = zone;
        (void) pthread_mutex_unlock(&report->lock);
        return 0;
}

int report_new(const ReportOptions *options, Report **ret) {
        _cleanup_(report_freep) Report *report = NULL;
        int r;

        report = malloc(sizeof(*report));
        if (!report)
                return -ENOMEM;

        *report = (Report){ .options = *options, .lock = PTHREAD_MUTEX_INITIALIZER };
        r = set_zone(report, options->zone);
        if (r < 0)
                return r;
        r = periodic_new(
                        options->event, 0, options->interval_usec, on_tick, report, &report->timer);
        if (r < 0)
                return r;

        master_link_set_refresh(options->master, on_refresh, report);
        *ret = TAKE_PTR(report);
        return 0;
}

Report *report_free(Report *report) {
        if (!report)
                return NULL;

        (void) periodic_free(report->timer);
        (void) pthread_mutex_destroy(&report->lock);
        free(report->zone);
        free(report);
        return NULL;
}

void report_set(Report *report, const char *zone, uint64_t interval_usec) {
        (void) set_zone(report, zone); /* without memory, the next reload is soon enough */
        periodic_set_interval(report->timer, interval_usec);
}

void report_error(Report *report, char ret[static REPORT_ERROR_SIZE]) {
        (void) pthread_mutex_lock(&report->lock);
        memcpy(ret, report->reason, REPORT_ERROR_SIZE);
        (void) pthread_mutex_unlock(&report->lock);
}

const char *report_master(const Report *report) {
        return master_link_url(report->options.master);
}

bool report_is_accepted(const Report *report) {
        return atomic_load(&report->is_accepted);
}

uint64_t report_age_usec(const Report *report) {
        uint64_t taken = atomic_load(&report->taken_usec);

        return taken == 0 ? UINT64_MAX : clock_monotonic() - taken;
}

uint64_t report_grace_usec(const Report *report) {
        return atomic_load(&report->grace_usec);
}
