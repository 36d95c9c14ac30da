/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "core/call/wire.h"
#include "rpc/signed-route.h"
#include "store/object/reader.h"
#include "volume/call/fetch.h"

#define STOP_USEC USEC_PER_SEC /* after which a fetch ends with its daemon */

typedef struct Fetch {
        const Copies *copies;       /* not owned */
        const HttpRequest *request; /* not owned */
        uint64_t end_usec;          /* monotonic: of a daemon that stops; 0 while it does not */
        Reader versions;            /* which are left; of the request's body */
        Buffer scratch, encoded;
        Buffer out; /* the object at hand, with its value if that is small */
        size_t n_sent;
        ObjectReader *reader; /* of a large value */
        uint64_t version;
} Fetch;

static void fetch_free(void *userdata) {
        Fetch *fetch = userdata;

        (void) object_reader_free(fetch->reader);
        buffer_done(&fetch->scratch);
        buffer_done(&fetch->encoded);
        buffer_done(&fetch->out);
        free(fetch);
}

/* A small value from a file, all of it. */
static int put_file(Buffer *out, ObjectReader *reader, size_t size) {
        _cleanup_free_ uint8_t *value = malloc(MAX(size, (size_t) 1));
        size_t done = 0;

        if (!value)
                return -ENOMEM;
        while (done < size) {
                ssize_t n = object_reader_read(reader, value + done, size - done);

                if (n <= 0)
                        return n < 0 ? (int) n : -EBADMSG;
                done += (size_t) n;
        }

        buffer_put(out, value, size);
        return buffer_error(out);
}

static void put_head(Fetch *fetch, const Object *object) {
        Object without_value = { .record = object->record, .key = object->key };

        buffer_clear(&fetch->encoded);
        object_encode(&without_value, &fetch->encoded);
        wire_put_fetch_head(
                        &fetch->out, &(WireFetchHead){
                                                     .version = object->record.version,
                                                     .object_size = (uint32_t) fetch->encoded.size,
                                                     .value_size = object->record.size,
                                     });
        buffer_put(&fetch->out, fetch->encoded.data, fetch->encoded.size);
}

static int put_object(Fetch *fetch, uint64_t version) {
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        r = object_store_get(fetch->copies->store, version, &fetch->scratch, &object, &fd);
        if (r < 0)
                return r;

        put_head(fetch, &object);
        r = buffer_error(&fetch->encoded);
        if (r < 0)
                return r;

        if (object.is_inline)
                buffer_put(&fetch->out, object.value, object.record.size);
        else {
                r = object_reader_new(&object, TAKE_FD(fd), 0, object.record.size, &fetch->reader);
                if (r >= 0)
                        r = object.record.size <= INLINE_MAX ? put_file(&fetch->out, fetch->reader,
                                                                        object.record.size)
                                                             : object_reader_begin(fetch->reader);
                if (r < 0)
                        return r;
                fetch->version = version;
        }

        return buffer_error(&fetch->out);
}

/* Tells the master of a damaged copy, if its record tells the key. The caller learns no more
 * than that there is no good copy here. */
static int tell(Fetch *fetch, uint64_t version, int error) {
        _cleanup_(buffer_done) Buffer key = {};

        if (error == -ENOENT || damage_kind_of_error(error) == DAMAGE_NONE)
                return error;

        if (object_store_key(fetch->copies->store, version, &key) >= 0)
                (void) damage_found(fetch->copies->damage, (const char *) key.data, version, error);
        return -EBADMSG;
}

/* Goes on to the next object. An object that cannot be read is an answer, too. */
static int next_object(Fetch *fetch) {
        uint64_t version = reader_get_u64(&fetch->versions);
        int r;

        buffer_clear(&fetch->out);
        fetch->n_sent = 0;
        r = put_object(fetch, version);
        if (r >= 0)
                return 0;

        fetch->reader = object_reader_free(fetch->reader);
        buffer_clear(&fetch->out);
        wire_put_fetch_head(
                        &fetch->out, &(WireFetchHead){
                                                     .version = version,
                                                     .error = tell(fetch, version, r),
                                     });
        return buffer_error(&fetch->out);
}

/* Returns how many bytes of the object at hand it wrote, 0 at its end, or a negative errno. */
static ssize_t read_object(Fetch *fetch, void *data, size_t size) {
        size_t n = MIN(size, fetch->out.size - fetch->n_sent);
        ssize_t r;

        if (n > 0) {
                memcpy(data, fetch->out.data + fetch->n_sent, n);
                fetch->n_sent += n;
                return (ssize_t) n;
        }
        if (!fetch->reader)
                return 0;

        r = object_reader_read(fetch->reader, data, size);
        if (r <= 0)
                fetch->reader = object_reader_free(fetch->reader);
        return r < 0 ? tell(fetch, fetch->version, (int) r) : r;
}

/* A copy that moves as slowly as its job may would hold up a stop. The job asks again. */
static bool should_end(Fetch *fetch) {
        if (!http_request_is_draining(fetch->request))
                return false;

        if (fetch->end_usec == 0)
                fetch->end_usec = clock_monotonic() + STOP_USEC;
        return clock_monotonic() >= fetch->end_usec;
}

static ssize_t on_read(void *userdata, void *data, size_t size) {
        Fetch *fetch = userdata;
        size_t done = 0;

        if (should_end(fetch))
                return -ESHUTDOWN;

        while (done < size) {
                ssize_t n = read_object(fetch, (uint8_t *) data + done, size - done);

                if (n < 0)
                        return n;
                if (n == 0 && fetch->versions.size == 0)
                        break;
                if (n == 0)
                        n = next_object(fetch);
                if (n < 0)
                        return n;
                done += (size_t) n;
        }

        return (ssize_t) done;
}

int fetch_finish(const Copies *copies, HttpRequest *request) {
        HttpStream stream = { .read = on_read };
        const Buffer *body = signed_request_body(request);
        Fetch *fetch;

        if (body->size % sizeof(uint64_t) != 0 || body->size > WIRE_FETCH_MAX * sizeof(uint64_t))
                return -EINVAL;

        fetch = malloc(sizeof(*fetch));
        if (!fetch)
                return -ENOMEM;
        *fetch = (Fetch){
                .copies = copies,
                .request = request,
                .versions = READER(body->data, body->size),
        };
        signed_set_state(request, fetch, fetch_free);

        stream.userdata = fetch;
        return http_request_reply_stream(request, 200, HTTP_SIZE_UNKNOWN, &stream);
}
