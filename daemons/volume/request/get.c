/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "core/blocks.h"
#include "core/call/ticket.h"
#include "core/etag.h"
#include "core/key.h"
#include "http/record.h"
#include "rpc/gate.h"
#include "rpc/way-back.h"
#include "store/object/reader.h"
#include "volume/request/get.h"
#include "volume/request/value-stream.h"

/* A GET that waits for somebody: the verifier, or the master. */
typedef struct Get {
        Task task;
        DamageWait wait;
        const GetOptions *options; /* not owned */
        HttpRequest *request;
        Ticket ticket;
        int error; /* what is wrong with the copy */
        char key[KEY_MAX + 1];
} Get;

static int get_new(
                const GetOptions *options,
                HttpRequest *request,
                const char *key,
                const Ticket *ticket,
                Get **ret) {
        Get *get = *http_request_state(request) ?: malloc(sizeof(*get));

        if (!get)
                return -ENOMEM;

        if (!*http_request_state(request)) {
                *get = (Get){ .options = options, .request = request, .ticket = *ticket };
                memcpy(get->key, key, strlen(key) + 1);
                *http_request_state(request) = get;
        }
        *ret = get;
        return 0;
}

/* The master has heard of the damage, and sends readers elsewhere, if there is another copy. */
static void on_told(DamageWait *wait, int result) {
        Get *get = CONTAINER_OF(wait, Get, wait);
        char sentence[128];

        /* It may have been moved or overwritten, too. */
        if ((result == 0 || result == -ENOENT) && *get->ticket.back &&
            way_back_reply(get->request, get->key, &get->ticket) >= 0)
                return;

        (void) snprintf(sentence, sizeof(sentence), "This volume's copy of the value %s.",
                        damage_kind_to_sentence(damage_kind_of_error(get->error)));
        (void) http_request_reply_error(get->request, -EBADMSG, sentence);
}

/* An object outlives the tickets that lead to it, so one that is not there is lost. */
static int reply_damage(
                const GetOptions *options,
                HttpRequest *request,
                const char *key,
                const Ticket *ticket,
                int error) {
        Get *get;
        int r;

        if (damage_kind_of_error(error) == DAMAGE_NONE)
                return error;
        r = get_new(options, request, key, ticket, &get);
        if (r < 0)
                return r;

        get->error = error;
        get->wait.done = on_told;
        (void) damage_found_wait(
                        options->copies->damage, get->key, ticket->version, error, &get->wait);
        return HTTP_LATER;
}

static int reply_object(HttpRequest *request, ValueStream *stream) {
        const Object *object = stream->object;
        char etag[ETAG_SIZE];
        Condition condition;
        int r;

        r = http_request_get_condition(request, &condition);
        if (r < 0)
                return r;
        r = condition_check_read(&condition, &object->record.checksum, object->record.mtime_usec);
        if (r < 0)
                return r;

        if (r > 0)
                return http_request_reply_not_modified(request, &object->record);

        etag_of_checksum(&object->record.checksum, etag);
        r = http_request_add_record(request, &object->record);
        if (r < 0)
                return r;
        return http_request_reply_value(
                        request, object->value,
                        &(HttpValue){ .open = value_stream_open, .userdata = stream },
                        object->record.size, etag, object->record.mtime_usec);
}

/* Reads all of a value, whose pointer then points to RET. */
static int read_small(Object *object, int take_fd, void **ret) {
        _cleanup_(object_reader_freep) ObjectReader *reader = NULL;
        _cleanup_free_ void *value = malloc(BLOCK_SIZE);
        ssize_t n;
        int r;

        r = object_reader_new(object, take_fd, 0, object->record.size, &reader);
        if (r < 0)
                return r;
        if (!value)
                return -ENOMEM;
        n = object_reader_read(reader, value, BLOCK_SIZE);
        if (n < 0)
                return (int) n;

        object->value = *ret = TAKE_PTR(value);
        return 0;
}

typedef enum Trust { TRUST_NONE, TRUST_VERIFIED } Trust;

/* Returns -EINPROGRESS if the whole value has to be verified before a part of it is sent. */
static int get(const GetOptions *options,
               HttpRequest *request,
               const char *key,
               const Ticket *ticket,
               Trust trust) {
        const Copies *copies = options->copies;
        _cleanup_(buffer_done) Buffer scratch = {};
        _cleanup_free_ void *value = NULL;
        _cleanup_close_ int fd = -1;
        ValueStream stream;
        Object object;
        int r;

        r = object_store_get(copies->store, ticket->version, &scratch, &object, &fd);
        if (r >= 0 && strcmp(object.key, key) != 0)
                r = -EBADMSG;
        if (r < 0)
                return reply_damage(options, request, key, ticket, r);

        /* A value of one block is better sent along with its headers. */
        if (fd >= 0 && object.record.size <= BLOCK_SIZE) {
                r = read_small(&object, TAKE_FD(fd), &value);
                if (r < 0)
                        return reply_damage(options, request, key, ticket, r);
        }

        object.record.revision = ticket->revision; /* which the volume does not know */
        stream = (ValueStream){
                .damage = copies->damage,
                .object = &object,
                .fd = TAKE_FD(fd),
                .is_verified = trust == TRUST_VERIFIED,
        };
        r = reply_object(request, &stream);
        closep(&stream.fd);
        if (stream.error < 0 && stream.error != -EINPROGRESS)
                return reply_damage(options, request, key, ticket, stream.error);
        return r;
}

static void get_verified(Task *task) {
        Get *state = CONTAINER_OF(task, Get, task);
        HttpRequest *request = state->request;
        const GetOptions *options = state->options;
        int r;

        r = object_store_verify(options->copies->store, state->ticket.version);
        if (r < 0)
                r = reply_damage(options, request, state->key, &state->ticket, r);
        else
                r = get(options, request, state->key, &state->ticket, TRUST_VERIFIED);
        if (r < 0)
                (void) http_request_reply_error(request, r, NULL);
}

static int get_verified_start(
                const GetOptions *options,
                HttpRequest *request,
                const char *key,
                const Ticket *ticket) {
        Get *state;
        int r;

        r = get_new(options, request, key, ticket, &state);
        if (r < 0)
                return r;

        state->task.run = get_verified;
        workers_submit(options->workers, &state->task);
        return HTTP_LATER;
}

/* Whether the request brings a ticket, or anything that could be a part of one. */
static bool has_ticket(const HttpRequest *request) {
        static const char *const parts[] = { "v", "e", "t" };
        char value[1];

        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (http_request_parameter(request, parts[i], value, sizeof(value)) != -ENOENT)
                        return true;
        return false;
}

int get_refuse(const GetOptions *options, HttpRequest *request, int error) {
        if (error != -EACCES || has_ticket(request))
                return error;
        return master_link_redirect(options->callers->master, request);
}

int get_finish(const GetOptions *options, HttpRequest *request) {
        const Ticket *ticket = gate_ticket(request);
        const char *key = gate_key(request);
        char verify[2];
        int r;

        if (ticket->store != allegiance_ticket_store(options->callers->allegiance))
                return way_back_reply(request, key, ticket);

        if (http_request_parameter(request, "verify", verify, sizeof(verify)) == 1 &&
            *verify == '1')
                return get_verified_start(options, request, key, ticket);

        r = get(options, request, key, ticket, TRUST_NONE);
        return r == -EINPROGRESS ? get_verified_start(options, request, key, ticket) : r;
}

void get_end(HttpRequest *request) {
        free(*http_request_state(request));
}
