/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "master/cluster/run.h"
#include "master/link/greeting.h"
#include "store/index/identity.h"

/* What a report may take, so that an old one is not taken for a sign of life. */
#define SLACK_USEC (50 * USEC_PER_MSEC)

/* So long the earlier of two masters waits for the later one to notice and to end. */
#define LATER_USEC (3 * USEC_PER_SEC)

struct Greetings {
        GreetingsOptions options;

        /* Since when a volume is known to follow somebody else; monotonic, 0 if it does not. On the
         * client's thread. */
        uint64_t others_usec[VOLUME_MAX + 1];

        /* When a volume was asked last; monotonic. Of whoever has its one call under way. */
        uint64_t sent_usec[VOLUME_MAX + 1];
};

/* What a volume says. */
typedef struct Answer {
        Parties parties;
        bool follows;
        uint64_t age_usec; /* since its leader has taken a report */
        char master[VOLUME_URL_SIZE];
} Answer;

int greetings_new(const GreetingsOptions *options, Greetings **ret) {
        Greetings *greetings = calloc(1, sizeof(*greetings));

        if (!greetings)
                return -ENOMEM;

        greetings->options = *options;
        *ret = greetings;
        return 0;
}

Greetings *greetings_free(Greetings *greetings) {
        free(greetings);
        return NULL;
}

int greeting_send(
                Greetings *greetings,
                uint32_t volume,
                void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata),
                void *userdata) {
        const GreetingsOptions *options = &greetings->options;
        Parties parties = { .lead = *index_identity(options->index) };
        char url[VOLUME_URL_SIZE];
        int r;

        r = volumes_store(options->volumes, volume, &parties.to);
        if (r < 0)
                return r;
        (void) volumes_url(options->volumes, volume, url); /* it may be down */

        greetings->sent_usec[volume] = clock_monotonic();
        return rpc_call(
                        &(RpcCall){
                                        .client = options->client,
                                        .kind = CALL_HELLO,
                                        .url = url,
                                        .parties = &parties,
                                        .on_done = on_done,
                                        .userdata = userdata,
                        },
                        NULL);
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
                Greetings *greetings, uint32_t volume, const Answer *answer, uint64_t *ret_usec) {
        const Leadership *ours = index_identity(greetings->options.index);
        uint64_t sent_usec = greetings->sent_usec[volume],
                 *others_usec = greetings->others_usec + volume;

        if (!answer->follows || leadership_equal(&answer->parties.lead, ours) ||
            !cluster_id_equal(answer->parties.lead.cluster, ours->cluster)) {
                *others_usec = 0;
                return false;
        }
        if (*others_usec == 0)
                *others_usec = clock_monotonic();
        *ret_usec = sent_usec - MIN(sent_usec, *others_usec);
        return lead_was_alive_after(*others_usec, sent_usec, answer->age_usec) > SLACK_USEC;
}

static void judge_lead(Greetings *greetings, uint32_t volume, const Answer *answer) {
        Lead *lead = greetings->options.lead;
        const Leadership *ours = index_identity(greetings->options.index),
                         *theirs = &answer->parties.lead;
        bool is_earlier;
        uint64_t usec;

        if (!follows_another(greetings, volume, answer, &usec))
                return;

        is_earlier = theirs->term < ours->term ||
                     (theirs->term == ours->term && theirs->leader < ours->leader);
        if (is_earlier)
                lead_depose(lead,
                            "The cluster has a master, at %s, which volume %" PRIu32
                            " follows; this one was started on a copy of its directory, and ends.",
                            answer->master, volume);
        else if (usec > LATER_USEC)
                lead_depose(lead,
                            "Another master, at %s, has taken over the cluster in term %" PRIu64
                            ": volume %" PRIu32 " follows it. This one ends.",
                            answer->master, theirs->term, volume);
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

int greeting_judge(
                Greetings *greetings, uint32_t volume, HttpCall *call, const HttpResult *result) {
        const GreetingsOptions *options = &greetings->options;
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
        judge_lead(greetings, volume, &answer);
        return 0;
}
