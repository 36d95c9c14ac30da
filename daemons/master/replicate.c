/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "master.h"
#include "net/http-record.h"
#include "net/http-server.h"
#include "replicate.h"

typedef struct Copy {
        Replication *replication;
        OutboxItem item;
        uint32_t volume;
        int error;
} Copy;

struct Replication {
        Master *master;       /* not owned */
        HttpRequest *request; /* not owned */
        uint64_t wanted;
        Buffer object; /* encoded, as the volumes get it */
        Copy copies[COPIES_MAX];
        size_t n_copies;
        unsigned copies_left; /* atomic: which have not answered yet */
        IndexCommit commit;
};

static void fail(Replication *replication, int error) {
        (void) http_request_reply_error(
                        replication->request, error,
                        error == -EHOSTDOWN ? "Too few copies of the value could be stored."
                                            : NULL);
}

static void on_committed(Operation *operation, int result) {
        Replication *replication = CONTAINER_OF(operation, Replication, commit.operation);
        const Record *record = &replication->commit.record;
        int r;

        if (result < 0) {
                fail(replication, result);
                return;
        }

        for (size_t i = 0; i < record->n_copies; i++)
                outbox_confirm(replication->master->outbox, record->copies[i], record->version);

        r = http_request_reply_written(
                        replication->request, replication->commit.created,
                        replication->commit.revision, &record->checksum);
        if (r < 0)
                fail(replication, r);
}

/* A write without a majority is over; its copies, stored or not, are asked about by the volumes
 * that have them, and become garbage then. */
static int summary(const Replication *replication) {
        for (size_t i = 0; i < replication->n_copies; i++)
                if (replication->copies[i].error == -ENOSPC)
                        return -ENOSPC;
        return -EHOSTDOWN;
}

static void on_copied(OutboxItem *item, int error) {
        Copy *copy = CONTAINER_OF(item, Copy, item);
        Replication *replication = copy->replication;
        Record *record = &replication->commit.record;

        copy->error = error;
        if (__atomic_sub_fetch(&replication->copies_left, 1, __ATOMIC_ACQ_REL) > 0)
                return;

        for (size_t i = 0; i < replication->n_copies; i++)
                if (replication->copies[i].error >= 0)
                        record->copies[record->n_copies++] = replication->copies[i].volume;
        if (record->n_copies <= replication->wanted / 2) {
                fail(replication, summary(replication));
                return;
        }

        /* Its volumes may have given it up, and the fence that was put up then may have fallen. */
        if (clock_realtime() > record->mtime_usec + MASTER_COMMIT_USEC) {
                fail(replication, -ESTALE);
                return;
        }

        replication->commit.garbage_due_usec = master_garbage_due(replication->master);
        index_commit(replication->master->index, &replication->commit);
}

static void start_copies(Replication *replication, const uint32_t *volumes) {
        Outbox *outbox = replication->master->outbox;
        size_t n = replication->n_copies;

        /* The last answer may free all of this before the loop's condition is looked at again. */
        for (size_t i = 0; i < n; i++) {
                replication->copies[i] = (Copy){
                        .replication = replication,
                        .item = {
                                .data = replication->object.data,
                                .size = replication->object.size,
                                .done = on_copied,
                        },
                        .volume = volumes[i],
                };
        }
        for (size_t i = 0; i < n; i++)
                outbox_submit(outbox, volumes[i], &replication->copies[i].item);
}

int replication_start(HttpRequest *request, const ReplicationInput *input, Replication **ret) {
        Master *master = http_request_userdata(request);
        _cleanup_(replication_freep) Replication *replication = NULL;
        Record *record;
        int r;

        replication = calloc(1, sizeof(*replication));
        if (!replication)
                return -ENOMEM;

        replication->master = master;
        replication->request = request;
        replication->wanted = input->wanted;
        replication->n_copies = input->n_volumes;
        replication->copies_left = (unsigned) input->n_volumes;
        replication->commit = (IndexCommit){
                .operation.done = on_committed,
                .key = input->key,
                .record = *input->record,
                .condition = *input->condition,
        };

        record = &replication->commit.record;
        record->version = index_next_version(master->index, VERSION_DIRECT);
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

Replication *replication_free(Replication *replication) {
        if (!replication)
                return NULL;

        buffer_done(&replication->object);
        free(replication);
        return NULL;
}
