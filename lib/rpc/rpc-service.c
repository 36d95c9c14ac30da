/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel/receiver.h"
#include "rpc/channel-types.h"
#include "rpc/rpc-service.h"

/* What a caller may have under way on a channel. */
#define CALLS_MAX 1024
#define BYTES_MAX (16 * MIB)

struct RpcService {
        RpcServiceOptions options;
        ChannelCounters counters;
        atomic_bool is_stopping;
        atomic_size_t memory; /* of all bodies, in bytes */
};

/* An open channel, on its loop. */
typedef struct Line {
        RpcService *service;
        Handshake offer, answer;
        SessionKeys keys;
        Loop *loop;
        Receiver *receiver;
        HttpPlace *place;
        bool is_trusted; /* a call has shown that the other side has the keys */
} Line;

struct RpcRequest {
        Line *line;
        Incoming *incoming;
        Parties parties;
        Buffer body; /* the data is the channel's */
        void *state;
        void (*free_state)(void *state);

        /* The answer, on its way to the loop */
        LoopWaker waker;
        FrameStamp stamp;
        Buffer answer;
        int error;
        char sentence[FRAME_SENTENCE_MAX + 1];
};

/* -- Requests -- */

void *rpc_request_userdata(const RpcRequest *request) {
        return request->line->service->options.userdata;
}

const Parties *rpc_request_parties(const RpcRequest *request) {
        return &request->parties;
}

const Buffer *rpc_request_body(const RpcRequest *request) {
        return &request->body;
}

void rpc_request_set_state(RpcRequest *request, void *state, void (*free_state)(void *state)) {
        assert(!request->free_state);

        request->state = state;
        request->free_state = free_state;
}

void rpc_request_explain(RpcRequest *request, const char *sentence) {
        (void) snprintf(request->sentence, sizeof(request->sentence), "%s", sentence);
}

int rpc_request_check(const RpcRequest *request) {
        if (atomic_load(&request->line->service->is_stopping))
                return -ESHUTDOWN;
        return incoming_is_abandoned(request->incoming) ? -ECANCELED : 0;
}

/* On the loop: the channel gets the answer. */
static void send_answer(RpcRequest *request) {
        Line *line = request->line;

        if (request->free_state)
                request->free_state(request->state);
        (void) atomic_fetch_sub(&line->service->memory, request->body.size);
        http_place_end(line->place);
        if (request->error < 0)
                incoming_refuse(request->incoming, request->error, request->sentence);
        else
                incoming_answer(request->incoming, &request->stamp, &request->answer);
        free(request);
}

static void on_answered(LoopWaker *waker) {
        send_answer(CONTAINER_OF(waker, RpcRequest, waker));
}

static int answer(RpcRequest *request) {
        if (loop_current() == request->line->loop)
                send_answer(request);
        else
                loop_wake(&request->waker);
        return 0;
}

int rpc_request_refuse(RpcRequest *request, int error, const char *sentence) {
        assert(error < 0);

        request->error = error;
        if (sentence)
                rpc_request_explain(request, sentence);
        return answer(request);
}

int rpc_request_reply(RpcRequest *request, const Leadership *lead, Buffer *body) {
        int r = body ? buffer_error(body) : 0;

        if (r < 0)
                return rpc_request_refuse(request, r, NULL);

        request->stamp = (FrameStamp){ .sequence = request->parties.sequence };
        if (lead)
                request->stamp.lead = *lead;
        if (body)
                request->answer = *body;
        if (body)
                *body = (Buffer){};
        return answer(request);
}

/* -- Calls that come -- */

static int dispatch(RpcRequest *request) {
        const RpcService *service = request->line->service;
        CallKind kind = (CallKind) request->incoming->kind;
        const RpcHandler *handler = service->options.handlers + kind;
        int r;

        if (!handler->finish)
                return -EOPNOTSUPP;
        if (call_role(&request->parties.from) != call_types[kind].caller)
                return -EREMOTE;
        if (atomic_load(&service->memory) > RPC_MEMORY_MAX)
                return -EAGAIN;

        r = handler->begin ? handler->begin(request) : 0;
        return r < 0 ? r : handler->finish(request);
}

static RpcRequest *make_request(Line *line, Incoming *incoming) {
        RpcRequest *request = malloc(sizeof(*request));

        if (!request)
                return NULL;

        *request = (RpcRequest){
                .line = line,
                .incoming = incoming,
                .parties = {
                        .lead = incoming->stamp.lead,
                        .from = line->offer.from,
                        .to = line->offer.to,
                        .sequence = incoming->stamp.sequence,
                        .revision = incoming->stamp.revision,
                },
                .body = { .data = (uint8_t *) incoming->body, .size = incoming->body_size },
                .waker = { .on_wake = on_answered, .loop = line->loop },
        };
        return request;
}

static void trust(Line *line) {
        const RpcServiceOptions *options = &line->service->options;

        if (line->is_trusted)
                return;

        line->is_trusted = true;
        http_place_trust(line->place);
        if (options->on_opened)
                options->on_opened(&line->offer, options->userdata);
}

static void on_call(Incoming *incoming, void *userdata) {
        Line *line = userdata;
        RpcRequest *request;
        int r;

        trust(line);

        request = make_request(line, incoming);
        if (!request) {
                incoming_refuse(incoming, -ENOMEM, "");
                return;
        }
        if (http_place_begin(line->place) < 0) {
                free(request);
                incoming_refuse(incoming, -ESHUTDOWN, "It is being stopped.");
                return;
        }

        (void) atomic_fetch_add(&line->service->memory, request->body.size);
        r = dispatch(request);
        if (r < 0)
                (void) rpc_request_refuse(request, r, NULL);
}

/* -- Channels that are opened -- */

static void on_evicted(void *userdata) {
        Line *line = userdata;

        receiver_cut(line->receiver);
}

static void on_closed(Receiver *receiver, int error, const char *reason, void *userdata) {
        Line *line = userdata;
        const RpcServiceOptions *options = &line->service->options;

        if (line->is_trusted && options->on_closed)
                options->on_closed(&line->offer, options->userdata);
        (void) http_place_free(line->place);
        free(line);
}

static void on_upgraded(const HttpUpgraded *upgraded, void *userdata) {
        HttpRequest *request = userdata;
        Line *line = TAKE_PTR(*http_request_state(request));
        ReceiverOptions options = {
                .loop = loop_current(),
                .keys = &line->keys,
                .offer = &line->offer,
                .answer = &line->answer,
                .types = rpc_channel_types,
                .n_types = _CALL_MAX,
                .on_call = on_call,
                .on_closed = on_closed,
                .userdata = line,
                .counters = &line->service->counters,
        };

        line->loop = loop_current();
        line->place = upgraded->place;
        if (receiver_new(&options, upgraded->fd, upgraded->input, upgraded->input_size,
                         &line->receiver) < 0) {
                (void) close(upgraded->fd);
                (void) http_place_free(line->place);
                free(line);
                return;
        }
        http_place_watch(line->place, on_evicted, line);
}

static void note_stranger(const RpcService *service, const HttpRequest *request) {
        char address[HTTP_ADDRESS_SIZE];

        if (service->options.on_stranger && http_request_address(request, address) >= 0)
                service->options.on_stranger(address, service->options.userdata);
}

static int read_offer(RpcService *service, HttpRequest *request, Signer *signer, Handshake *ret) {
        const char *text = http_request_header(request, HANDSHAKE_HEADER);
        int r;

        r = handshake_read_offer(text, signer, ret);
        if (r == -EACCES && text)
                note_stranger(service, request);
        if (r >= 0 && ret->purpose != RPC_PURPOSE)
                return -EOPNOTSUPP;
        return r;
}

/* Accepts the offer that was read. */
static int accept_offer(Line *line, HttpRequest *request, Signer *signer) {
        char text[HANDSHAKE_TEXT_SIZE];
        int r;

        line->answer.calls_max = CALLS_MAX;
        line->answer.bytes_max = BYTES_MAX;
        r = receiver_accept(
                        http_request_header(request, HANDSHAKE_HEADER), &line->offer, &line->answer,
                        signer, text, &line->keys);
        if (r >= 0)
                r = http_request_add_header(request, HANDSHAKE_HEADER, text);
        return r < 0 ? r : http_request_upgrade(request, HANDSHAKE_PROTOCOL, on_upgraded, request);
}

int rpc_service_open(RpcService *service, HttpRequest *request) {
        const RpcServiceOptions *options = &service->options;
        Signer *signer = secret_signer(options->secret);
        char sentence[FRAME_SENTENCE_MAX + 1] = "";
        Line *line = calloc(1, sizeof(*line));
        int r;

        *http_request_state(request) = line;
        if (!signer || !line)
                return -ENOMEM;

        line->service = service;
        r = read_offer(service, request, signer, &line->offer);
        if (r == -EPROTO)
                http_request_explain(
                                request, "This daemon runs another version of dkv; install the "
                                         "same on all machines.");
        if (r < 0)
                return r;
        r = options->admit(&line->offer, &line->answer, sentence, options->userdata);
        if (r < 0)
                return http_request_reply_error(request, r, *sentence ? sentence : NULL);
        return accept_offer(line, request, signer);
}

void rpc_service_close_route(HttpRequest *request) {
        free(TAKE_PTR(*http_request_state(request)));
}

int rpc_service_new(const RpcServiceOptions *options, RpcService **ret) {
        RpcService *service = malloc(sizeof(*service));

        if (!service)
                return -ENOMEM;

        *service = (RpcService){ .options = *options };
        *ret = service;
        return 0;
}

void rpc_service_stop(RpcService *service) {
        if (service)
                atomic_store(&service->is_stopping, true);
}

RpcService *rpc_service_free(RpcService *service) {
        free(service);
        return NULL;
}
