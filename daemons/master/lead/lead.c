/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "base/periodic.h"
#include "master/lead/lead.h"
#include "master/lead/strangers.h"
#include "store/index/rollback.h"

#define STATE_FORMAT 1

#define TICK_USEC (USEC_PER_SEC / 4)

/* How long the volumes of the index may take to report before strangers alone raise doubt. */
#define MEMBERS_USEC (5 * USEC_PER_SEC)

struct Lead {
        LeadOptions options;
        Periodic *timer;
        atomic_bool leads, follows;

        pthread_mutex_t lock; /* for the rest */
        LeadState state;
        char leader[LEAD_URL_SIZE]; /* of the group, or "" */
        char detail[TROUBLE_DETAIL_SIZE];
        uint64_t began_usec; /* monotonic */
        bool has_heard_member;

        /* If it is behind: */
        LeadReach highest; /* that any volume of this cluster has reported */
        LeadReach stored;  /* of these, what is in the index, or on its way there */
        bool has_failed_to_save;
        uint32_t volume; /* that was the first to show it */
        uint64_t since_usec;
        bool is_accepting;

        Strangers strangers;
};

bool lead_is_leading(const Lead *lead) {
        return !lead || atomic_load_explicit(&lead->leads, memory_order_acquire);
}

bool lead_is_shared(const Lead *lead) {
        return lead && lead->options.follows;
}

bool lead_is_following(const Lead *lead) {
        return lead && atomic_load_explicit(&lead->follows, memory_order_acquire);
}

void lead_follow(Lead *lead, const char *url) {
        (void) pthread_mutex_lock(&lead->lock);
        (void) snprintf(lead->leader, sizeof(lead->leader), "%s", url);
        (void) pthread_mutex_unlock(&lead->lock);
}

void lead_leader(Lead *lead, char ret[static LEAD_URL_SIZE]) {
        (void) pthread_mutex_lock(&lead->lock);
        memcpy(ret, lead->leader, LEAD_URL_SIZE);
        (void) pthread_mutex_unlock(&lead->lock);
}

LeadState lead_state(Lead *lead) {
        LeadState state;

        (void) pthread_mutex_lock(&lead->lock);
        state = lead->state;
        (void) pthread_mutex_unlock(&lead->lock);
        return state;
}

static LeadStanding standing_of(Lead *lead) {
        const IndexIdentity *identity = index_identity(lead->options.index);
        LeadStanding standing = {
                .reach.term = identity->term,
                .reach.version = index_version_end(lead->options.index),
                .reach.revision = index_revision(lead->options.index),
        };

        memcpy(standing.cluster, identity->cluster, sizeof(standing.cluster));
        return standing;
}

/* In local time. */
static void format_time(uint64_t usec, char *ret, size_t size) {
        time_t seconds = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        if (usec == 0 || !localtime_r(&seconds, &tm) ||
            strftime(ret, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                (void) snprintf(ret, size, "an unknown time");
}

/* With the lock held: how the state is explained to people. */
static void explain_behind(Lead *lead) {
        LeadStanding standing = standing_of(lead);
        char last[40], more[80] = "what it does not know";

        format_time(index_last_change(lead->options.index), last, sizeof(last));
        if (lead->highest.revision > standing.reach.revision)
                (void) snprintf(more, sizeof(more), "%" PRIu64 " changes that it does not know",
                                lead->highest.revision - standing.reach.revision);
        (void) snprintf(lead->detail, sizeof(lead->detail),
                        "its last change is of %s, and volume %" PRIu32 " has seen %s", last,
                        lead->volume, more);
}

/* With the lock held. */
static void set_state(Lead *lead, LeadState state) {
        Troubles *troubles = lead->options.troubles;

        if (state == lead->state && state != LEAD_BEHIND && state != LEAD_FOREIGN)
                return;

        lead->state = state;
        atomic_store(&lead->leads, state == LEAD_LEADS);
        atomic_store(&lead->follows, state == LEAD_FOLLOWS || state == LEAD_LOST);
        if (state == LEAD_BEHIND)
                troubles_note(troubles, TROUBLE_BEHIND, 0, "%s", lead->detail);
        else
                troubles_clear(troubles, TROUBLE_BEHIND, 0);
        if (state == LEAD_FOREIGN)
                troubles_note(troubles, TROUBLE_FOREIGN, 0, "%s", lead->detail);
        else
                troubles_clear(troubles, TROUBLE_FOREIGN, 0);
}

static void note_rollback(Lead *lead) {
        IndexRollback rollback;
        char last[40], accepted[40];

        index_rollback(lead->options.index, &rollback);
        if (rollback.version_end == 0)
                return;

        format_time(rollback.last_usec, last, sizeof(last));
        format_time(rollback.accepted_usec, accepted, sizeof(accepted));
        troubles_note(lead->options.troubles, TROUBLE_ROLLED_BACK, 0,
                      "what was changed after %s and before %s is lost; copies of that time that "
                      "were kept on the volumes: %" PRIu64,
                      last, accepted, rollback.n_kept);
}

typedef struct Save {
        IndexSet set;
        Buffer buffer;
        Lead *lead; /* not owned */
        LeadReach reach;
} Save;

/* It is stored with the next report then. */
static void note_unsaved(Lead *lead, const LeadReach *reach, int error) {
        (void) pthread_mutex_lock(&lead->lock);
        if (memcmp(&lead->stored, reach, sizeof(*reach)) == 0)
                lead->stored = (LeadReach){};
        if (!lead->has_failed_to_save)
                (void) log_warning_errno(
                                error, "Failed to store that the index is older than its volumes, "
                                       "trying again with the next report: %m");
        lead->has_failed_to_save = true;
        (void) pthread_mutex_unlock(&lead->lock);
}

static void on_saved(IndexRequest *request, IndexResult result) {
        Save *save = CONTAINER_OF(request, Save, set.request);

        if (result.error < 0)
                note_unsaved(save->lead, &save->reach, result.error);
        buffer_done(&save->buffer);
        free(save);
}

/* With the lock held: so a restart need not wait for the volume that knows it. */
static void save(Lead *lead) {
        const LeadReach *highest = &lead->highest;
        Save *save;

        if (lead->is_accepting || memcmp(&lead->stored, highest, sizeof(*highest)) == 0)
                return;
        save = calloc(1, sizeof(*save));
        if (!save)
                return;

        buffer_put_u8(&save->buffer, STATE_FORMAT);
        buffer_put_u64(&save->buffer, lead->since_usec);
        buffer_put_u32(&save->buffer, lead->volume);
        buffer_put_u64(&save->buffer, highest->term);
        buffer_put_u64(&save->buffer, highest->version);
        buffer_put_u64(&save->buffer, highest->revision);
        if (buffer_error(&save->buffer) < 0) {
                buffer_done(&save->buffer);
                free(save);
                return;
        }
        lead->stored = save->reach = *highest;
        save->lead = lead;
        save->set = (IndexSet){
                .request.done = on_saved,
                .name = ROLLBACK_BEHIND_STATE,
                .data = save->buffer.data,
                .size = save->buffer.size,
        };
        index_set(lead->options.index, &save->set);
}

/* What an earlier start has found out. A newer index that was put in place does not have it. */
static int load(Lead *lead) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Reader reader;
        int r;

        r = index_get_state(lead->options.index, ROLLBACK_BEHIND_STATE, &buffer);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        reader = READER(buffer.data, buffer.size);
        if (reader_get_u8(&reader) != STATE_FORMAT)
                return reader_error(&reader) < 0 ? -EBADMSG : -EPROTONOSUPPORT;
        lead->since_usec = reader_get_u64(&reader);
        lead->volume = reader_get_u32(&reader);
        lead->highest.term = reader_get_u64(&reader);
        lead->highest.version = reader_get_u64(&reader);
        lead->highest.revision = reader_get_u64(&reader);
        if (reader_end(&reader) < 0)
                return -EBADMSG;

        lead->stored = lead->highest;
        explain_behind(lead);
        set_state(lead, LEAD_BEHIND);
        return 0;
}

/* With the lock held: whether strangers alone are there. An empty index has nobody else to wait
 * for. */
static void look_at_strangers(Lead *lead, bool is_empty) {
        bool is_foreign;

        strangers_forget(&lead->strangers, clock_monotonic());
        is_foreign = lead->strangers.n > 0 && !lead->has_heard_member &&
                     (is_empty || clock_monotonic() >= lead->began_usec + MEMBERS_USEC);
        if (lead->state != LEAD_LEADS && lead->state != LEAD_FOREIGN)
                return;

        if (is_foreign) {
                strangers_explain(&lead->strangers, lead->detail, sizeof(lead->detail));
                set_state(lead, LEAD_FOREIGN);
        } else
                set_state(lead, LEAD_LEADS);
}

/* With the lock held. */
static void note_ahead(Lead *lead, const LeadReport *report) {
        bool is_news = lead->state != LEAD_BEHIND;

        if (lead->state != LEAD_LEADS && lead->state != LEAD_FOREIGN && lead->state != LEAD_BEHIND)
                return;
        lead_reach_raise(&lead->highest, &report->reach);
        if (is_news) {
                lead->volume = report->volume;
                lead->since_usec = clock_realtime();
        }
        explain_behind(lead);
        set_state(lead, LEAD_BEHIND);
        save(lead);
}

static bool is_empty(const Lead *lead, size_t n_used) {
        IndexCounters counters;

        index_counters(lead->options.index, &counters);
        return counters.keys == 0 && n_used == 0;
}

/* With the lock held. */
static int decide(Lead *lead, const LeadReport *report, bool empty) {
        LeadStanding standing = standing_of(lead);
        LeadVerdict verdict = lead_judge(&standing, report);

        if (verdict == LEAD_IS_AHEAD)
                note_ahead(lead, report);
        if (verdict == LEAD_IS_STRANGER) {
                strangers_note(&lead->strangers, report, clock_monotonic());
                look_at_strangers(lead, empty);
        } else {
                lead->has_heard_member |= report->member == LEAD_MEMBER;
                if (lead->state == LEAD_BEHIND)
                        lead_reach_raise(&lead->highest, &report->reach);
        }
        if (lead->state != LEAD_LEADS)
                return -EOWNERDEAD;
        return verdict == LEAD_IS_STRANGER ? -EEXIST : 0;
}

int lead_hear(Lead *lead, const VolumeReport *volume_report, LeadMember member, size_t n_used) {
        LeadReport report;
        bool empty, accept;
        int r;

        r = lead_report_of(volume_report, member, &report);
        if (r < 0)
                return r;

        empty = is_empty(lead, n_used);
        (void) pthread_mutex_lock(&lead->lock);
        r = decide(lead, &report, empty);
        accept = lead->state == LEAD_BEHIND && lead->options.accept_rollback;
        (void) pthread_mutex_unlock(&lead->lock);

        if (accept)
                (void) lead_accept_rollback(lead, NULL, NULL);
        return r;
}

void lead_explain_stranger(Lead *lead, uint32_t number, char ret[static LEAD_REASON_SIZE]) {
        const Stranger *stranger;

        *ret = '\0';
        if (!lead)
                return;

        (void) pthread_mutex_lock(&lead->lock);
        stranger = strangers_find(&lead->strangers, number);
        if (stranger)
                (void) snprintf(ret, LEAD_REASON_SIZE,
                                "Volume %" PRIu32 " belongs to another index%s and holds %" PRIu64
                                " values that this one does not know; a new volume needs another, "
                                "empty directory.",
                                number, stranger->is_bound ? ", of another cluster," : "",
                                stranger->objects);
        (void) pthread_mutex_unlock(&lead->lock);
}

void lead_reason(Lead *lead, char ret[static LEAD_REASON_SIZE]) {
        Trouble trouble = {};
        char sentence[TROUBLE_SENTENCE_SIZE] = "";

        (void) pthread_mutex_lock(&lead->lock);
        trouble.kind = lead->state == LEAD_BEHIND ? TROUBLE_BEHIND : TROUBLE_FOREIGN;
        memcpy(trouble.detail, lead->detail, sizeof(trouble.detail));
        if (lead->state == LEAD_BEHIND || lead->state == LEAD_FOREIGN)
                trouble_format(trouble_info(trouble.kind)->sentence, &trouble, NULL, 0, sentence);
        else if (lead->state == LEAD_DEPOSED || lead->state == LEAD_LOST)
                memcpy(sentence, lead->detail, sizeof(lead->detail));
        else if (lead->state == LEAD_FOLLOWS && *lead->leader)
                (void) snprintf(sentence, sizeof(sentence), "This master follows the one at %s.",
                                lead->leader);
        else if (lead->state == LEAD_FOLLOWS)
                (void) snprintf(sentence, sizeof(sentence),
                                "No master leads: a majority of them must be up and reach each other.");
        (void) pthread_mutex_unlock(&lead->lock);
        (void) snprintf(ret, LEAD_REASON_SIZE, "%.*s", LEAD_REASON_SIZE - 1, sentence);
}

/* Returns whether that is news: then the process is to end. */
static bool end(Lead *lead, LeadState state, const char *detail) {
        bool is_news;

        (void) pthread_mutex_lock(&lead->lock);
        is_news = lead->state != LEAD_DEPOSED && lead->state != LEAD_LOST;
        if (is_news) {
                (void) snprintf(lead->detail, sizeof(lead->detail), "%s", detail);
                set_state(lead, state);
        }
        (void) pthread_mutex_unlock(&lead->lock);
        return is_news;
}

void lead_depose(Lead *lead, const char *format, ...) {
        char detail[TROUBLE_DETAIL_SIZE];
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(detail, sizeof(detail), format, arguments);
        va_end(arguments);
        if (!end(lead, LEAD_DEPOSED, detail))
                return;

        log_event(LOG_ERR, EVENT_MASTER_DEPOSED, NULL, "%s", detail);
        (void) kill(getpid(), SIGTERM);
}

void lead_lose(Lead *lead, const char *format, ...) {
        char detail[TROUBLE_DETAIL_SIZE];
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(detail, sizeof(detail), format, arguments);
        va_end(arguments);
        if (!end(lead, LEAD_LOST, detail))
                return;

        log_notice("%s", detail);
        (void) kill(getpid(), SIGTERM);
}

int lead_exit_status(Lead *lead) {
        LeadState state = lead ? lead_state(lead) : LEAD_LEADS;

        return state == LEAD_DEPOSED ? LEAD_EXIT_DEPOSED
               : state == LEAD_LOST  ? LEAD_EXIT_LOST
                                     : EXIT_SUCCESS;
}

typedef struct Accepting {
        IndexAccept accept;
        Lead *lead;
        LeadDone done;
        void *userdata;
} Accepting;

static void on_accepted(IndexAccept *accept, IndexResult result) {
        Accepting *accepting = CONTAINER_OF(accept, Accepting, accept);
        Lead *lead = accepting->lead;

        (void) pthread_mutex_lock(&lead->lock);
        lead->is_accepting = false;
        if (result.outcome == INDEX_DONE) {
                lead->highest = lead->stored = (LeadReach){};
                note_rollback(lead);
                if (lead->state == LEAD_BEHIND)
                        set_state(lead, LEAD_LEADS);
        }
        (void) pthread_mutex_unlock(&lead->lock);

        if (result.outcome == INDEX_DONE)
                log_event(LOG_WARNING, EVENT_ROLLBACK_ACCEPTED, NULL,
                          "An older index was accepted: what it does not know is lost. It leads "
                          "from now on in term %" PRIu64 ".",
                          index_identity(lead->options.index)->term);
        else
                (void) log_error_errno(result.error, "Failed to accept the older index: %m");
        if (accepting->done)
                accepting->done(result.error, index_identity(lead->options.index)->term,
                                accepting->userdata);
        free(accepting);
}

int lead_accept_rollback(Lead *lead, LeadDone done, void *userdata) {
        Accepting *accepting = malloc(sizeof(*accepting));
        int r = 0;

        if (!accepting)
                return -ENOMEM;

        *accepting = (Accepting){ .lead = lead, .done = done, .userdata = userdata };
        accepting->accept.done = on_accepted;

        (void) pthread_mutex_lock(&lead->lock);
        if (lead->state != LEAD_BEHIND || lead->is_accepting)
                r = -EALREADY;
        else {
                lead->is_accepting = true;
                accepting->accept.term = lead->highest.term;
                accepting->accept.version = lead->highest.version;
                accepting->accept.revision = lead->highest.revision;
        }
        (void) pthread_mutex_unlock(&lead->lock);
        if (r < 0) {
                free(accepting);
                return r;
        }

        index_accept_rollback(lead->options.index, &accepting->accept);
        return 0;
}

/* Strangers go away, and the figure of what was kept grows. */
static void on_tick(void *userdata) {
        Lead *lead = userdata;

        (void) pthread_mutex_lock(&lead->lock);
        if (lead->state == LEAD_FOREIGN)
                look_at_strangers(lead, true);
        if (!lead_is_following(lead))
                note_rollback(lead);
        (void) pthread_mutex_unlock(&lead->lock);
}

/* What the index says. */
static int take_over(Lead *lead) {
        int r;

        r = load(lead);
        if (r < 0)
                return r;
        note_rollback(lead);
        if (lead->state == LEAD_BEHIND && lead->options.accept_rollback)
                return lead_accept_rollback(lead, NULL, NULL);
        return 0;
}

int lead_begin(Lead *lead) {
        int r = -EALREADY;

        if (lead_state(lead) != LEAD_FOLLOWS)
                return r;

        r = take_over(lead); /* which no handler sees before it is told below */
        (void) pthread_mutex_lock(&lead->lock);
        lead->began_usec = clock_monotonic();
        if (r >= 0 && lead->state == LEAD_FOLLOWS)
                set_state(lead, LEAD_LEADS);
        (void) pthread_mutex_unlock(&lead->lock);
        return r;
}

int lead_new(const LeadOptions *options, sd_event *event, Lead **ret) {
        _cleanup_(lead_freep) Lead *lead = malloc(sizeof(*lead));
        int r;

        if (!lead)
                return -ENOMEM;

        *lead = (Lead){
                .options = *options,
                .leads = true,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .began_usec = clock_monotonic(),
        };
        if (options->follows)
                set_state(lead, LEAD_FOLLOWS);
        r = periodic_new(event, TICK_USEC, TICK_USEC, on_tick, lead, &lead->timer);
        if (r >= 0 && !options->follows)
                r = take_over(lead);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(lead);
        return 0;
}

Lead *lead_free(Lead *lead) {
        if (!lead)
                return NULL;

        (void) periodic_free(lead->timer);
        (void) pthread_mutex_destroy(&lead->lock);
        free(lead);
        return NULL;
}
