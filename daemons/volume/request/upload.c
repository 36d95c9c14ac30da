/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/key.h"
#include "core/majority.h"
#include "http/record.h"
#include "rpc/gate.h"
#include "rpc/way-back.h"
#include "store/object/writer.h"
#include "volume/request/forward.h"
#include "volume/request/upload.h"

/* Two volumes that stop must not wait for each other's answers for long. */
#define STOP_PATIENCE_USEC (3 * USEC_PER_SEC)

#define WRONG_DIGEST "The value does not have the digest that the request says."

/* Another volume that the value goes to, and how much of the piece at hand it has taken. */
typedef struct Branch {
        Forward *forward;
        size_t taken;
} Branch;

/* Belongs to the request and to what still reports to it: the store and each forward. */
typedef struct Upload {
        atomic_uint references;
        const UploadOptions *options; /* not owned */
        const Copies *copies_here;    /* likewise */
        Ticket ticket;
        char key[KEY_MAX + 1];
        ObjectWriter *writer;
        size_t writer_taken;
        Digests *digests; /* that the value is to have; NULL if the request says none */
        Branch branches[COPIES_MAX - 1];
        size_t n_branches;
        Commit commit;
        uint64_t deadline_usec; /* monotonic; see commit_deadline() */

        pthread_mutex_t lock; /* for what follows */
        HttpRequest *request; /* NULL once it is over */
        unsigned parts_left;  /* of the store and the forwards: which have not reported yet */
        uint32_t copies[COPIES_MAX];
        size_t n_copies;
        uint32_t failed[COPIES_MAX]; /* volumes that have none */
        size_t n_failed;
        Checksum checksums[COPIES_MAX]; /* of the copies, to be compared with our own */
        int error;                      /* the first one */
} Upload;

static Upload *upload_unref(Upload *upload) {
        if (!upload || atomic_fetch_sub(&upload->references, 1) > 1)
                return NULL;

        (void) object_writer_free(upload->writer);
        (void) digests_free(upload->digests);
        (void) pthread_mutex_destroy(&upload->lock);
        free(upload);
        return NULL;
}
DEFINE_CLEANUP(Upload *, upload_unref);

static uint32_t own_number(const Upload *upload) {
        return allegiance_store(upload->options->callers->allegiance)->number;
}

static void on_committed(Commit *commit, const WireCommitResult *result) {
        _cleanup_(upload_unrefp) Upload *upload = CONTAINER_OF(commit, Upload, commit);
        const Record *record = &upload->commit.wire.record;
        int r;

        /* These answers settle the object: it is current, or it is garbage that the master knows
         * of. */
        if (result->error == 0 || result->error == -ECANCELED || result->error == -EEXIST ||
            result->error == -ESTALE)
                pending_remove(upload->copies_here->pending, record->version);

        if (result->error == -ECOMM && result->revision > 0)
                r = http_request_reply_unknown(upload->request, result->revision);
        else if (result->error < 0)
                r = http_request_reply_error(
                                upload->request, result->error,
                                result->error == -ECOMM
                                                ? "The master cannot be reached; whether the value was stored is open."
                                                : NULL);
        else
                r = http_request_reply_written(
                                upload->request, result->created, result->revision,
                                &record->checksum);
        if (r < 0)
                (void) http_request_reply_error(upload->request, r, NULL);
}

static bool is_abandoned(const Commit *commit) {
        return http_request_sender_is_gone(CONTAINER_OF(commit, Upload, commit)->request);
}

/* Keeps the copies that have the same checksum as this volume's. */
static void choose_copies(Upload *upload, Record *record) {
        for (size_t i = 0; i < upload->n_copies; i++)
                if (checksum_equal(upload->checksums + i, &record->checksum))
                        record->copies[record->n_copies++] = upload->copies[i];
                else if (upload->error == 0)
                        upload->error = -EBADMSG;
}

/* The deadline for committing a value that is complete now: with a wide margin before its volume
 * may give up a copy. */
static uint64_t commit_deadline(const Report *report) {
        uint64_t grace = report_grace_usec(report);

        return clock_monotonic() +
               (grace > 0 ? MIN(grace / 2, USEC_PER_MIN) : COMMIT_PATIENCE_USEC);
}

/* Names the volumes that are the reason why nothing was stored: the value was not committed and
 * can be sent elsewhere. */
static void add_failed(HttpRequest *request, const uint32_t failed[], size_t n) {
        char list[COPIES_MAX * DECIMAL_SIZE(uint32_t)] = "", *end = list;

        for (size_t i = 0; i < n; i++)
                end += sprintf(end, "%s%" PRIu32, i > 0 ? "," : "", failed[i]);
        if (*list)
                (void) http_request_add_header(request, "Dkv-Not-Stored", list);
}

static void end_forwards(Upload *upload) {
        while (upload->n_branches > 0)
                (void) forward_free(upload->branches[--upload->n_branches].forward);
}

/* This volume does not take the value. What was begun ends now: the request does only when the rest
 * of its body has come in. Returns 0 or a negative errno. */
static int refuse(Upload *upload, int error) {
        uint32_t number = own_number(upload);

        end_forwards(upload);
        upload->writer = object_writer_free(upload->writer);
        add_failed(upload->request, &number, 1);
        return http_request_reply_error(upload->request, error, NULL);
}

/* The same after an error of the store; an error of the request is returned as it is. */
static int refuse_because_of(Upload *upload, int error) {
        uint64_t size = http_request_size(upload->request);
        int r;

        r = faults_note(upload->copies_here->faults, error, size == HTTP_SIZE_UNKNOWN ? 0 : size);
        return error_store_fault(error) == STORE_FAULT_NONE ? r : refuse(upload, r);
}

static void complete(Upload *upload) {
        Record record = *object_writer_record(upload->writer);
        int error;

        record.n_copies = 0;
        choose_copies(upload, &record);

        if (!copies_suffice(record.n_copies, upload->ticket.wanted)) {
                error = upload->error == -ENOSPC || upload->error == -EBADMSG ? upload->error
                                                                              : -EHOSTDOWN;
                add_failed(upload->request, upload->failed, upload->n_failed);
                (void) http_request_reply_error(
                                upload->request, error,
                                "Too few copies of the value could be stored.");
                (void) upload_unref(upload);
                return;
        }

        if (upload->ticket.method == TICKET_COPY) {
                if (http_request_reply_written(upload->request, true, 0, &record.checksum) < 0)
                        (void) http_request_reply_error(upload->request, -ENOMEM, NULL);
                (void) upload_unref(upload);
                return;
        }

        if (clock_monotonic() > upload->deadline_usec) {
                (void) http_request_reply_error(upload->request, -ESTALE, NULL);
                (void) upload_unref(upload);
                return;
        }

        upload->commit.deadline_usec = upload->deadline_usec;
        upload->commit.wire.key = upload->key;
        upload->commit.wire.record = record;
        upload->commit.done = on_committed;
        upload->commit.is_abandoned = is_abandoned;
        commit_queue_submit(upload->options->commits, &upload->commit);
}

static void part_start(Upload *upload) {
        atomic_fetch_add(&upload->references, 1);
        (void) pthread_mutex_lock(&upload->lock);
        upload->parts_left++;
        (void) pthread_mutex_unlock(&upload->lock);
}

/* One of the parts has ended. The last one decides; it keeps its reference until the request is
 * answered. */
static void part_done(Upload *upload, uint32_t volume, int error, const Checksum *checksum) {
        bool last;

        (void) pthread_mutex_lock(&upload->lock);
        if (error == 0) {
                upload->checksums[upload->n_copies] = *checksum;
                upload->copies[upload->n_copies++] = volume;
        } else {
                upload->failed[upload->n_failed++] = volume;
                upload->error = upload->error ?: error;
        }
        last = --upload->parts_left == 0;
        (void) pthread_mutex_unlock(&upload->lock);

        if (last)
                complete(upload);
        else
                (void) upload_unref(upload);
}

static void on_forwarded(void *userdata, uint32_t volume, int error, const Checksum *checksum) {
        Upload *upload = userdata;
        const Ticket *ticket = &upload->ticket;

        for (size_t i = 0; i < ticket->n_others; i++)
                if (ticket->others[i].volume == volume)
                        faults_note_peer(
                                        upload->copies_here->faults, ticket->others[i].authority,
                                        error);
        part_done(upload, volume, error, checksum);
}

static void on_stored(ObjectWriter *writer, int result, void *userdata) {
        Upload *upload = userdata;

        result = faults_note(
                        upload->copies_here->faults, result, object_writer_record(writer)->size);
        if (result < 0 && result != -EEXIST) /* an object of that version may be pending */
                pending_remove(upload->copies_here->pending, upload->ticket.version);
        part_done(upload, own_number(upload), result < 0 ? result : 0,
                  &object_writer_record(writer)->checksum);
}

static void on_writable(void *userdata) {
        Upload *upload = userdata;

        (void) pthread_mutex_lock(&upload->lock);
        if (upload->request)
                http_request_resume(upload->request);
        (void) pthread_mutex_unlock(&upload->lock);
}

/* A volume that cannot be reached now must not fail the write: the majority decides at the end.
 * Returns 0, or -EAGAIN if too many values are being passed on. */
static int start_forwards(Upload *upload, const Record *record) {
        const UploadOptions *options = upload->options;
        bool is_stopping = http_request_is_draining(upload->request);
        int r;

        for (size_t i = 0; i < upload->ticket.n_others; i++) {
                const typeof(*upload->ticket.others) *other = upload->ticket.others + i;
                Branch *branch = upload->branches + upload->n_branches;

                part_start(upload);
                r = forward_new(&(ForwardOptions){
                                                .client = options->client,
                                                .budget = options->budget,
                                                .secret = options->callers->secret,
                                                .volume = other->volume,
                                                .store = other->store,
                                                .authority = other->authority,
                                                .key = upload->key,
                                                .record = record,
                                                .ticket = &upload->ticket,
                                                .size = http_request_size(upload->request),
                                                .stall_timeout_usec =
                                                                is_stopping ? STOP_PATIENCE_USEC
                                                                            : 0,
                                                .events = {
                                                                .writable = on_writable,
                                                                .done = on_forwarded,
                                                                .userdata = upload,
                                                },
                                },
                                &branch->forward);
                if (r >= 0)
                        upload->n_branches++;
                else
                        part_done(upload, other->volume, r, NULL);
                if (r == -EAGAIN)
                        return r;
        }
        return 0;
}

/* Returns 0 if the ticket is for this store and the value is not too large; 1 if the client was
 * sent back to the master; or a negative errno. */
static int check_ticket(HttpRequest *request, Upload *upload) {
        uint64_t size = http_request_size(request);
        int r;

        upload->ticket = *gate_ticket(request);
        (void) snprintf(upload->key, sizeof(upload->key), "%s", gate_key(request));
        if (upload->ticket.store != allegiance_ticket_store(upload->options->callers->allegiance)) {
                r = way_back_reply(request, upload->key, &upload->ticket);
                return r < 0 ? r : 1;
        }
        return size != HTTP_SIZE_UNKNOWN && size > upload->ticket.size_max ? -EFBIG : 0;
}

/* Opens the object, and the way to the other volumes. */
static int open_writer(HttpRequest *request, Upload *upload) {
        _cleanup_(buffer_done) Buffer metadata = {};
        Record record = {
                .version = upload->ticket.version,
                .mtime_usec = upload->ticket.mtime_usec,
        };
        int r;

        r = http_request_get_metadata(request, &metadata, &record.content_type, &upload->digests);
        if (r < 0)
                return r;
        record.metadata = (const char *) metadata.data;
        record.metadata_size = metadata.size;

        r = faults_check(upload->copies_here->faults);
        if (r < 0)
                return refuse(upload, r);
        r = object_writer_new(
                        upload->copies_here->store, upload->key, &record,
                        http_request_size(request), &upload->writer);
        if (r < 0)
                return refuse_because_of(upload, r);

        r = start_forwards(upload, &record);
        return r < 0 ? refuse(upload, r) : 0;
}

int upload_begin(const UploadOptions *options, HttpRequest *request) {
        Upload *upload = calloc(1, sizeof(*upload));
        int r;

        if (!upload)
                return -ENOMEM;
        *http_request_state(request) = upload;

        upload->references = 1;
        upload->parts_left = 1; /* the store's, from the start, so that no forward is the last
                                   before it */
        upload->options = options;
        upload->copies_here = options->copies;
        upload->request = request;
        (void) pthread_mutex_init(&upload->lock, NULL);

        r = check_ticket(request, upload);
        if (r != 0)
                return MIN(r, 0);
        r = http_request_get_condition(request, &upload->commit.wire.condition);
        if (r < 0)
                return r;
        return open_writer(request, upload);
}

/* The store and each forward take as much as they can, and only what all have taken is done
 * with. So a slow volume holds the client back; one that has failed does not. */
ssize_t upload_body(HttpRequest *request, const void *data, size_t size) {
        Upload *upload = *http_request_state(request);
        size_t done = size;
        int r;

        if (upload->writer_taken < size) {
                const uint8_t *rest = (const uint8_t *) data + upload->writer_taken;

                if (object_writer_record(upload->writer)->size + (size - upload->writer_taken) >
                    upload->ticket.size_max)
                        return -EFBIG;
                r = object_writer_append(upload->writer, rest, size - upload->writer_taken);
                if (r < 0) {
                        r = refuse_because_of(upload, r);
                        return r < 0 ? r : (ssize_t) size;
                }
                if (upload->digests)
                        digests_update(upload->digests, rest, size - upload->writer_taken);
                upload->writer_taken = size;
        }

        for (size_t i = 0; i < upload->n_branches; i++) {
                Branch *branch = upload->branches + i;

                branch->taken += forward_write(
                                branch->forward, (const uint8_t *) data + branch->taken,
                                size - branch->taken);
                done = MIN(done, branch->taken);
        }

        upload->writer_taken -= done;
        for (size_t i = 0; i < upload->n_branches; i++)
                upload->branches[i].taken -= done;
        return (ssize_t) done;
}

int upload_finish(HttpRequest *request) {
        Upload *upload = *http_request_state(request);

        if (upload->digests && digests_check(upload->digests) < 0)
                return http_request_reply_error(request, EINVAL, WRONG_DIGEST);

        upload->deadline_usec = commit_deadline(upload->options->report);
        for (size_t i = 0; i < upload->n_branches; i++)
                forward_finish(upload->branches[i].forward);

        atomic_fetch_add(&upload->references, 1);
        pending_add(upload->copies_here->pending, upload->ticket.version);
        object_writer_finish(upload->writer, on_stored, upload);
        return HTTP_LATER;
}

void upload_end(HttpRequest *request) {
        Upload *upload = *http_request_state(request);

        if (!upload)
                return;

        (void) pthread_mutex_lock(&upload->lock);
        upload->request = NULL;
        (void) pthread_mutex_unlock(&upload->lock);

        end_forwards(upload);
        (void) upload_unref(upload);
}
