/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "core/key.h"
#include "core/majority.h"
#include "http/record.h"
#include "http/server.h"
#include "master/cluster/choice.h"
#include "master/request/replicate.h"
#include "master/upkeep/deadlines.h"

/* How long a failed copy is placed again: a volume that restarts is back by then. */
#define AGAIN_USEC (3 * USEC_PER_SEC)
#define PAUSE_USEC (100 * USEC_PER_MSEC)
#define TRIED_MAX  (2 * COPIES_MAX)

typedef struct Copy {
        Replication *replication;
        OutboxItem item;
        uint32_t volume;
        int error;
} Copy;

struct Replication {
        const Replicator *replicator; /* not owned */
        uint64_t grace_usec;
        HttpRequest *request; /* not owned */
        uint64_t wanted;
        Buffer object; /* encoded, as the volumes get it */
        Copy copies[COPIES_MAX];
        size_t n_copies;
        size_t copies_left;  /* which have not answered yet */
        uint64_t until_usec; /* monotonic; how long copies that failed are placed again */
        uint32_t tried[TRIED_MAX];
        size_t n_tried;
        IndexCommit commit;
        bool is_committed;
};

static void fail(Replication *replication, int error, const char *why) {
        (void) http_request_reply_error(replication->request, error, why);
}

static void on_committed(IndexRequest *request, IndexResult result) {
        Replication *replication = CONTAINER_OF(request, Replication, commit.request);
        const Record *record = &replication->commit.record;
        int r;

        if (result.outcome == INDEX_UNKNOWN) {
                (void) http_request_reply_unknown(
                                replication->request, replication->commit.revision);
                return;
        }
        if (result.error < 0) {
                fail(replication, result.error,
                     result.error == -ENOSPC ? "The disk of the index is full." : NULL);
                return;
        }

        replication->is_committed = true;
        r = http_request_reply_written(
                        replication->request, replication->commit.created,
                        replication->commit.revision, &record->checksum);
        if (r < 0)
                fail(replication, r, NULL);
}

/* The write is over without a majority. Volumes that have stored a copy will ask about it; then it
 * becomes garbage. */
static void fail_for_copies(Replication *replication) {
        for (size_t i = 0; i < replication->n_copies; i++)
                if (replication->copies[i].error == -ENOSPC) {
                        fail(replication, -ENOSPC, "The volumes are full.");
                        return;
                }
        fail(replication, -EHOSTDOWN, "Too few copies of the value could be stored.");
}

static size_t count_stored(const Replication *replication) {
        size_t n = 0;

        for (size_t i = 0; i < replication->n_copies; i++)
                n += replication->copies[i].error >= 0;
        return n;
}

static void commit(Replication *replication) {
        Record *record = &replication->commit.record;

        for (size_t i = 0; i < replication->n_copies; i++)
                if (replication->copies[i].error >= 0)
                        record->copies[record->n_copies++] = replication->copies[i].volume;

        /* The volumes may have given the copies up, and their tombstone may have expired. */
        if (clock_realtime() > record->mtime_usec + DEADLINE_COMMIT_USEC) {
                fail(replication, -ESTALE, NULL);
                return;
        }

        /* The master may have lost the lead while the copies were under way. */
        if (lead_refuses(replication->replicator->lead, replication->request))
                return;

        replication->commit.garbage_due_usec = deadline_of_garbage(replication->grace_usec);
        index_commit(replication->replicator->index, &replication->commit);
}

/* Perhaps nothing reached the volume; trying again may help. */
static bool is_of_the_way(int error) {
        return error == -EHOSTDOWN || error == -ECONNRESET || error == -ETIMEDOUT;
}

/* Gives a copy that its volume did not take, for any reason, to another volume. */
static bool place_again(Replication *replication, Copy *copy) {
        Volumes *volumes = replication->replicator->volumes;
        int r;

        if (!is_of_the_way(copy->error) && copy->error != -EACCES)
                volumes_note_unfit(volumes, copy->volume);
        if (replication->n_tried == TRIED_MAX)
                return false;
        r = volumes_place_another(
                        volumes, key_hash(replication->commit.key), replication->commit.record.size,
                        replication->tried, replication->n_tried);
        if (r < 0)
                return false;

        copy->volume = (uint32_t) r;
        replication->tried[replication->n_tried++] = copy->volume;
        return true;
}

/* Sends the chosen copies; there is at least one. */
static void submit(Replication *replication, const bool chosen[static COPIES_MAX]) {
        Outbox *outbox = replication->replicator->outbox;
        size_t n = replication->n_copies, n_chosen = 0;
        Copy *copies[COPIES_MAX];

        for (size_t i = 0; i < n; i++)
                if (chosen[i])
                        copies[n_chosen++] = replication->copies + i;
        replication->copies_left = n_chosen;

        /* The last answer may free all of this before the loop's condition is looked at again. */
        for (size_t i = 0; i < n_chosen; i++)
                outbox_submit(outbox, copies[i]->volume, &copies[i]->item);
}

static void submit_failed(void *userdata) {
        Replication *replication = userdata;
        bool chosen[COPIES_MAX] = {};

        for (size_t i = 0; i < replication->n_copies; i++)
                chosen[i] = replication->copies[i].error < 0;
        submit(replication, chosen);
}

/* Sends failed copies again: to other volumes or, if there are none and too few copies are stored,
 * to the same ones a little later. Returns whether it did. */
static bool try_again(Replication *replication) {
        bool chosen[COPIES_MAX] = {}, any = false, may_work = false;

        if (clock_monotonic() >= replication->until_usec)
                return false;

        for (size_t i = 0; i < replication->n_copies; i++) {
                Copy *copy = replication->copies + i;

                if (copy->error == -ESHUTDOWN)
                        return false;
                may_work |= is_of_the_way(copy->error);
                chosen[i] = copy->error < 0 && place_again(replication, copy);
                any |= chosen[i];
        }
        if (any) {
                submit(replication, chosen);
                return true;
        }
        return may_work && !copies_suffice(count_stored(replication), replication->wanted) &&
               peers_post_here(replication->replicator->peers, PAUSE_USEC, submit_failed,
                               replication) >= 0;
}

static void on_copied(OutboxItem *item, int error) {
        Copy *copy = CONTAINER_OF(item, Copy, item);
        Replication *replication = copy->replication;

        copy->error = error;
        if (--replication->copies_left > 0)
                return;

        if (count_stored(replication) < replication->n_copies && try_again(replication))
                return;
        if (copies_suffice(count_stored(replication), replication->wanted))
                commit(replication);
        else
                fail_for_copies(replication);
}

static void start_copies(Replication *replication, const uint32_t *volumes) {
        bool chosen[COPIES_MAX] = {};

        for (size_t i = 0; i < replication->n_copies; i++) {
                replication->copies[i] = (Copy){
                        .replication = replication,
                        .item = {
                                .data = replication->object.data,
                                .size = replication->object.size,
                                .done = on_copied,
                        },
                        .volume = volumes[i],
                };
                replication->tried[replication->n_tried++] = volumes[i];
                chosen[i] = true;
        }
        replication->until_usec = clock_monotonic() + AGAIN_USEC;
        submit(replication, chosen);
}

int replication_start(
                const Replicator *replicator,
                HttpRequest *request,
                const ReplicationInput *input,
                Replication **ret) {
        _cleanup_(replication_freep) Replication *replication = NULL;
        Record *record;
        int r;

        replication = calloc(1, sizeof(*replication));
        if (!replication)
                return -ENOMEM;

        replication->replicator = replicator;
        replication->grace_usec = input->grace_usec;
        replication->request = request;
        replication->wanted = input->wanted;
        replication->n_copies = input->n_volumes;
        replication->commit = (IndexCommit){
                .request.done = on_committed,
                .key = input->key,
                .record = *input->record,
                .condition = *input->condition,
        };

        record = &replication->commit.record;
        record->version = index_next_version(replicator->index, VERSION_DIRECT);
        if (record->version == 0)
                return -EOWNERDEAD;
        record->size = input->size;
        record->mtime_usec = clock_realtime();
        record->checksum = checksum_of(input->value, input->size);

        object_encode(&(Object){ .record = *record,
                                 .key = input->key,
                                 .is_inline = true,
                                 .value = input->value },
                      &replication->object);
        r = buffer_error(&replication->object);
        if (r < 0)
                return r;

        *ret = replication;
        start_copies(TAKE_PTR(replication), input->volumes);
        return HTTP_LATER;
}

/* The volumes hear of the commit with the next call of this loop. */
static void confirm(const Replication *replication) {
        const Record *record = &replication->commit.record;

        for (size_t i = 0; i < record->n_copies; i++)
                outbox_confirm(replication->replicator->outbox, record->copies[i], record->version);
}

Replication *replication_free(Replication *replication) {
        if (!replication)
                return NULL;

        if (replication->is_committed)
                confirm(replication);
        buffer_done(&replication->object);
        free(replication);
        return NULL;
}
