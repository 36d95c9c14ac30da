/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/json.h"
#include "master/cluster/run.h"
#include "master/link/greeting.h"
#include "store/index/identity.h"

/* How long a report may take on its way: one that is older is no sign of life. */
#define SLACK_USEC (50 * USEC_PER_MSEC)

/* How long the earlier of two masters waits for the later one to notice and to end. */
#define LATER_USEC (3 * USEC_PER_SEC)

/* The greetings of one volume. */
typedef struct Greeting {
        uint32_t volume;
        atomic_bool is_under_way; /* one is; while it is, the rest belongs to that call */
        uint64_t sent_usec;       /* when the last one was sent; monotonic */
        uint64_t others_usec; /* since when the volume is known to follow somebody else; monotonic,
                               * 0 if it does not */
        UT_hash_handle hh;
} Greeting;

struct Greetings {
        GreetingsOptions options;
        pthread_mutex_t lock; /* of the table, not of what is in it */
        Greeting *table;      /* by volume; owned */
};

/* What a volume says. */
typedef struct Answer {
        Parties parties;
        bool follows;
        uint64_t age_usec; /* since its leader has taken a report */
        char master[VOLUME_URL_SIZE];
} Answer;

int greetings_new(const GreetingsOptions *options, Greetings **ret) {
        Greetings *greetings = malloc(sizeof(*greetings));

        if (!greetings)
                return -ENOMEM;

        *greetings = (Greetings){ .options = *options, .lock = PTHREAD_MUTEX_INITIALIZER };
        *ret = greetings;
        return 0;
}

Greetings *greetings_free(Greetings *greetings) {
        Greeting *greeting, *next;

        if (!greetings)
                return NULL;

        HASH_ITER(hh, greetings->table, greeting, next) {
                HASH_DEL(greetings->table, greeting);
                free(greeting);
        }
        (void) pthread_mutex_destroy(&greetings->lock);
        free(greetings);
        return NULL;
}

/* Those of VOLUME. Returns NULL for lack of memory. */
static Greeting *find_or_add(Greetings *greetings, uint32_t volume) {
        Greeting *greeting;

        (void) pthread_mutex_lock(&greetings->lock);
        HASH_FIND(hh, greetings->table, &volume, sizeof(volume), greeting);
        if (!greeting) {
                greeting = malloc(sizeof(*greeting));
                if (greeting) {
                        *greeting = (Greeting){ .volume = volume };
                        HASH_ADD(hh, greetings->table, volume, sizeof(volume), greeting);
                }
        }
        (void) pthread_mutex_unlock(&greetings->lock);
        return greeting;
}

static int send(Greetings *greetings,
                Greeting *greeting,
                void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata),
                void *userdata) {
        const GreetingsOptions *options = &greetings->options;
        Parties parties = { .lead = *index_identity(options->index) };
        uint32_t volume = greeting->volume;
        _cleanup_(buffer_done) Buffer body = {};
        char url[VOLUME_URL_SIZE];
        int r;

        if (options->url)
                buffer_put(&body, options->url, strlen(options->url));
        r = buffer_error(&body);
        if (r < 0)
                return r;
        r = volumes_store(options->volumes, volume, &parties.to);
        if (r < 0)
                return r;
        (void) volumes_url(options->volumes, volume, url); /* it may be down */

        greeting->sent_usec = clock_monotonic();
        return signed_call(
                        &(SignedCall){
                                        .client = options->client,
                                        .kind = CALL_HELLO,
                                        .url = url,
                                        .parties = &parties,
                                        .body = &body,
                                        .on_done = on_done,
                                        .userdata = userdata,
                        },
                        NULL);
}

int greeting_send(
                Greetings *greetings,
                uint32_t volume,
                void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata),
                void *userdata) {
        Greeting *greeting = find_or_add(greetings, volume);
        int r;

        if (!greeting)
                return -ENOMEM;
        if (atomic_exchange(&greeting->is_under_way, true))
                return -EALREADY;
        r = send(greetings, greeting, on_done, userdata);
        if (r < 0)
                atomic_store(&greeting->is_under_way, false);
        return r;
}

static int read_answer(HttpCall *call, const HttpResult *result, Answer *ret) {
        _cleanup_(json_freep) Json *json = NULL;
        const char *master;
        int r;

        r = http_call_check_answer(call, result, &ret->parties);
        if (r < 0)
                return r;
        r = json_parse((const char *) result->body, result->body_size, &json);
        if (r < 0)
                return r;
        master = json_get_string(json, "master");
        if (!master || json_get_bool(json, "follows", &ret->follows) < 0 ||
            json_get_uint(json, "age_usec", &ret->age_usec) < 0)
                return -EBADMSG;
        (void) snprintf(ret->master, sizeof(ret->master), "%s", master);
        return 0;
}

/* Whether the volume follows a leader that has taken a report of it since we asked for one. */
static bool follows_another(
                Greetings *greetings,
                Greeting *greeting,
                const Answer *answer,
                uint64_t *ret_usec) {
        const Leadership *ours = index_identity(greetings->options.index);
        uint64_t sent_usec = greeting->sent_usec;

        if (!answer->follows || leadership_equal(&answer->parties.lead, ours) ||
            !cluster_id_equal(answer->parties.lead.cluster, ours->cluster)) {
                greeting->others_usec = 0;
                return false;
        }
        if (greeting->others_usec == 0)
                greeting->others_usec = clock_monotonic();
        *ret_usec = sent_usec - MIN(sent_usec, greeting->others_usec);
        return lead_was_alive_after(greeting->others_usec, sent_usec, answer->age_usec) >
               SLACK_USEC;
}

/* Of two leaders of a group the one with the lower term does not know yet that it is none. */
static void judge_term(Greetings *greetings, const Greeting *greeting, const Answer *answer) {
        const Leadership *ours = index_identity(greetings->options.index),
                         *theirs = &answer->parties.lead;

        if (cluster_id_equal(theirs->cluster, ours->cluster) && theirs->term > ours->term)
                lead_lose(greetings->options.lead,
                          "The master at %s leads in term %" PRIu64 ": volume %" PRIu32
                          " follows it. This one starts again.",
                          answer->master, theirs->term, greeting->volume);
}

static void judge_lead(Greetings *greetings, Greeting *greeting, const Answer *answer) {
        Lead *lead = greetings->options.lead;
        const Leadership *ours = index_identity(greetings->options.index),
                         *theirs = &answer->parties.lead;
        bool is_earlier;
        uint64_t usec;

        if (!follows_another(greetings, greeting, answer, &usec))
                return;

        is_earlier = theirs->term < ours->term ||
                     (theirs->term == ours->term && theirs->leader < ours->leader);
        if (is_earlier)
                lead_depose(lead,
                            "The cluster has a master, at %s, which volume %" PRIu32
                            " follows; this one was started on a copy of its directory, and ends.",
                            answer->master, greeting->volume);
        else if (usec > LATER_USEC)
                lead_depose(lead,
                            "Another master, at %s, has taken over the cluster in term %" PRIu64
                            ": volume %" PRIu32 " follows it. This one ends.",
                            answer->master, theirs->term, greeting->volume);
}

/* Says that somebody else is at the address. */
static int note_other(Greetings *greetings, uint32_t volume, const char *who) {
        const GreetingsOptions *options = &greetings->options;
        char url[VOLUME_URL_SIZE] = "";

        (void) volumes_url(options->volumes, volume, url);
        troubles_note(options->troubles, TROUBLE_MISPLACED, volume, "%s (%s)", url, who);
        return -EREMOTE;
}

/* The address is right, and the directory is not. */
static int note_other_store(Greetings *greetings, uint32_t volume) {
        const GreetingsOptions *options = &greetings->options;
        char url[VOLUME_URL_SIZE] = "";

        (void) volumes_url(options->volumes, volume, url);
        troubles_clear(options->troubles, TROUBLE_MISPLACED, volume);
        troubles_note(options->troubles, TROUBLE_OTHER_STORE, volume, "%s", url);
        return -EREMOTE;
}

static int judge_refusal(Greetings *greetings, uint32_t volume, const HttpResult *result) {
        _cleanup_(json_freep) Json *problem = NULL;
        const char *detail = NULL;
        char who[128] = "it is another one's";

        if (json_parse((const char *) result->body, result->body_size, &problem) >= 0)
                detail = json_get_string(problem, "detail");
        if (detail && strcmp(detail, IDENTITY_OTHER_STORE) == 0)
                return note_other_store(greetings, volume);
        if (detail && strlen(detail) > 1)
                (void) snprintf(who, sizeof(who), "which says: %.*s", (int) strlen(detail) - 1,
                                detail);
        return note_other(greetings, volume, who);
}

static int
judge(Greetings *greetings, Greeting *greeting, HttpCall *call, const HttpResult *result) {
        const GreetingsOptions *options = &greetings->options;
        uint32_t volume = greeting->volume;
        StoreIdentity store;
        Answer answer;
        int r;

        if (result->error < 0)
                return result->error;
        if (result->status == 403) /* another secret, or another time */
                return 0;
        if (result->status == 421)
                return judge_refusal(greetings, volume, result);
        if (result->status >= 500) /* too busy, or about to stop */
                return 0;
        if (result->status != 200)
                return note_other(greetings, volume, "which is no volume of dkv");

        r = read_answer(call, result, &answer);
        if (r < 0)
                return note_other(greetings, volume, "which is no volume of this cluster");
        if (volumes_store(options->volumes, volume, &store) < 0 ||
            !store_identity_equal(&answer.parties.from, &store))
                return note_other(greetings, volume, "which is another volume");

        troubles_clear(options->troubles, TROUBLE_MISPLACED, volume);
        volumes_note_answer(options->volumes, &answer.parties.from);
        if (options->url)
                judge_term(greetings, greeting, &answer);
        else
                judge_lead(greetings, greeting, &answer);
        return 0;
}

int greeting_judge(
                Greetings *greetings, uint32_t volume, HttpCall *call, const HttpResult *result) {
        Greeting *greeting = find_or_add(greetings, volume);
        int r;

        r = judge(greetings, greeting, call, result); /* it is there: it was sent */
        atomic_store(&greeting->is_under_way, false);
        return r;
}
