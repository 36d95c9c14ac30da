/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/etag.h"
#include "test.h"

#include "core/call/wire.h"
#include "http/record.h"
#include "master/fake-volume.h"
#include "master/world.h"
#include "rpc/gate.h"
#include "rpc/rpc-service.h"

static int fake_keep(FakeVolume *fake, const void *data, size_t size) {
        if (fake->store_error < 0 && fake->n_failing > 0) {
                fake->n_failing--;
                return fake->store_error;
        }

        (void) pthread_mutex_lock(&fake->lock);
        assert_true(fake->n_objects < OBJECTS_MAX);
        buffer_put(&fake->objects[fake->n_objects++], data, size);
        (void) pthread_mutex_unlock(&fake->lock);
        return 0;
}

static int fake_store_finish(RpcRequest *request) {
        FakeVolume *fake = rpc_request_userdata(request);
        const Buffer *body = rpc_request_body(request);
        Reader reader = READER(body->data, body->size);
        _cleanup_(buffer_done) Buffer answer = {};

        fake->n_stores++;
        for (uint64_t n = reader_get_varint(&reader); n > 0; n--)
                (void) reader_get_u64(&reader);
        for (uint64_t n = reader_get_varint(&reader); n > 0; n--) {
                size_t size;
                const void *data = reader_get_bytes(&reader, &size);

                assert_non_null(data);
                wire_put_error(&answer, fake_keep(fake, data, size));
        }
        assert_int_equal(reader_end(&reader), 0);
        return rpc_request_reply(request, NULL, &answer);
}

static int fake_put_refuse(HttpRequest *request) {
        FakeVolume *fake = http_request_userdata(request);

        if (fake->not_stored)
                assert_ok(http_request_add_header(request, "Dkv-Not-Stored", fake->not_stored));
        return http_request_reply_error(request, fake->put_error, "The volume says why.");
}

static int fake_put_begin(HttpRequest *request) {
        FakeVolume *fake = http_request_userdata(request);

        fake->n_puts++;
        buffer_clear(&fake->put);
        (void) snprintf(fake->put_query, sizeof(fake->put_query), "%s",
                        http_request_query(request));
        return fake->put_error < 0 && fake->put_at_head ? fake_put_refuse(request) : 0;
}

static ssize_t fake_put_body(HttpRequest *request, const void *data, size_t size) {
        FakeVolume *fake = http_request_userdata(request);

        buffer_put(&fake->put, data, size);
        return (ssize_t) size;
}

static ssize_t read_nothing(void *userdata, void *data, size_t size) {
        return -EIO; /* the connection is cut */
}

static int fake_put_finish(HttpRequest *request) {
        FakeVolume *fake = http_request_userdata(request);
        Checksum checksum = checksum_of(fake->put.data, fake->put.size);

        if (fake->put_error < 0)
                return fake_put_refuse(request);
        if (fake->put_is_lost)
                return http_request_reply_stream(
                                request, 201, HTTP_SIZE_UNKNOWN,
                                &(HttpStream){ .read = read_nothing });
        return http_request_reply_written(request, true, 77, &checksum);
}

const Buffer *fake_find(FakeVolume *fake, uint64_t version, Object *ret) {
        for (size_t i = 0; i < fake->n_objects; i++) {
                assert_ok(object_decode(fake->objects[i].data, fake->objects[i].size, ret));
                if (ret->record.version == version)
                        return fake->objects + i;
        }
        return NULL;
}

/* A value piece by piece, so that nobody is told its length. */
static ssize_t fake_read(void *userdata, void *data, size_t size) {
        Buffer *left = userdata;
        size_t n = MIN(size, left->size);

        memcpy(data, left->data, n);
        memmove(left->data, left->data + n, left->size - n);
        left->size -= n;
        return (ssize_t) n;
}

static void fake_closed(void *userdata) {
        buffer_done(userdata);
        free(userdata);
}

static int fake_reply_chunked(HttpRequest *request, const Object *object) {
        HttpStream stream = { .read = fake_read, .closed = fake_closed };
        Buffer *left = calloc(1, sizeof(*left));

        buffer_put(left, object->value, object->record.size);
        stream.userdata = left;
        return http_request_reply_stream(request, 200, HTTP_SIZE_UNKNOWN, &stream);
}

static int fake_get_finish(HttpRequest *request) {
        FakeVolume *fake = http_request_userdata(request);
        char etag[ETAG_SIZE], wrong[KIB] = "";
        Object object;

        fake->n_gets++;
        if (fake->get_error < 0)
                return fake->get_error;
        if (!fake_find(fake, gate_ticket(request)->version, &object))
                return -ENOENT;
        if (fake->get_mode == GET_CHUNKED)
                return fake_reply_chunked(request, &object);

        etag_of_checksum(&object.record.checksum, etag);
        assert_true(object.record.size < sizeof(wrong) || fake->get_mode != GET_CORRUPT);
        return http_request_reply_value(
                        request, fake->get_mode == GET_CORRUPT ? wrong : object.value, NULL,
                        object.record.size, etag, object.record.mtime_usec);
}

static int fake_admit(
                const Handshake *offer,
                Handshake *answer,
                char ret_sentence[static FRAME_SENTENCE_MAX + 1],
                void *userdata) {
        answer->from = offer->to;
        memcpy(answer->cluster, offer->cluster, sizeof(answer->cluster));
        return 0;
}

static int fake_open(HttpRequest *request) {
        const FakeVolume *fake = http_request_userdata(request);

        return rpc_service_open(fake->calls, request);
}

/* clang-format off */
static const HttpRoute fake_routes[] = {
        RPC_SERVICE_ROUTE(fake_open),
        { "GET",  "/", HTTP_TICKET, .finish = fake_get_finish                        },
        { "PUT",  "/", HTTP_TICKET, fake_put_begin, fake_put_body, fake_put_finish   },
        { "POST", "/", HTTP_TICKET, fake_put_begin, fake_put_body, fake_put_finish   },
        {}
};
/* clang-format on */

void fake_start(FakeVolume *fake, uint32_t number) {
        static const RpcHandler handlers[_CALL_MAX] = {
                [CALL_STORE].finish = fake_store_finish,
        };
        Fixture server;

        *fake = (FakeVolume){ .number = number, .lock = PTHREAD_MUTEX_INITIALIZER };
        assert_ok(
                        rpc_service_new(&(RpcServiceOptions){ .secret = world.secret,
                                                              .handlers = handlers,
                                                              .userdata = fake,
                                                              .admit = fake_admit },
                                        &fake->calls));
        fixture_start_with(&server, world_server(fake_routes, fake));
        fake->server = server.server;
        (void) snprintf(fake->url, sizeof(fake->url), "http://127.0.0.1:%i", server.port);
}

void fake_stop(FakeVolume *fake) {
        fake->server = http_server_free(fake->server);
}

void fake_done(FakeVolume *fake) {
        fake_stop(fake);
        for (size_t i = 0; i < fake->n_objects; i++)
                buffer_done(fake->objects + i);
        buffer_done(&fake->put);
}

VolumeReport fake_report(const FakeVolume *fake) {
        static uint64_t sequence;

        return (VolumeReport){
                .number = fake->number,
                .uuid = { (uint8_t) fake->number },
                .run = 1,
                .sequence = ++sequence,
                .url = fake->url,
                .zone = "",
                .disk_free = 100 * GIB,
                .disk_size = 200 * GIB,
        };
}
