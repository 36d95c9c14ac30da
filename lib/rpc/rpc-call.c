/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rpc/peers-internal.h"
#include "rpc/rpc-call.h"

/* Belongs to who has a reference; all but that to the hub's loop. */
struct RpcCallHandle {
        atomic_uint references;
        Hub *hub;
        PeerKey key;
        ChannelCall call;
        Buffer body;
        void (*on_done)(const RpcResult *result, void *userdata);
        void *userdata;

        Peer *peer; /* while it is under way */
        uint64_t id;
        bool is_canceled, is_over;

        /* Of a call that could not even be begun; it is told a moment later. */
        int error;
        char reason[FRAME_SENTENCE_MAX + 1];
};

RpcCallHandle *rpc_call_unref(RpcCallHandle *handle) {
        if (!handle || atomic_fetch_sub(&handle->references, 1) > 1)
                return NULL;

        buffer_done(&handle->body);
        free(handle);
        return NULL;
}

/* Ends the call, and gives up the loop's reference. */
static void finish(RpcCallHandle *handle, const RpcResult *result) {
        handle->is_over = true;
        handle->on_done(result, handle->userdata);
        (void) rpc_call_unref(handle);
}

static void finish_failed(RpcCallHandle *handle, int error, const char *reason) {
        finish(handle, &(RpcResult){ .error = error, .reason = reason });
}

/* What an error of the channel means to who has called. */
static int error_of(const RpcCallHandle *handle, int error) {
        switch (error) {
        case -ECANCELED: /* the channel was freed */
                return handle->is_canceled || !handle->hub->is_stopped ? error : -ESHUTDOWN;
        case -ESHUTDOWN: /* the other side's; ours is meant by it here */
                return -EHOSTDOWN;
        case -EOPNOTSUPP:
                return -EREMOTEIO;
        default:
                return error;
        }
}

static void on_answer(const ChannelResult *channel, void *userdata) {
        RpcCallHandle *handle = userdata;
        RpcResult result = {
                .reason = channel->reason,
                .body = channel->body,
                .body_size = channel->body_size,
                .lead = channel->stamp.lead,
        };

        if (channel->is_refusal) {
                result.refusal = error_of(handle, channel->error);
                result.detail = *channel->reason ? channel->reason : NULL;
        } else {
                result.error = error_of(handle, channel->error);
        }
        peer_end_call(TAKE_PTR(handle->peer));
        finish(handle, &result);
}

static void tell_failure(void *userdata) {
        RpcCallHandle *handle = userdata;

        finish_failed(handle, handle->error, handle->reason);
}

static void drop(void *userdata) {
        finish_failed(userdata, -ESHUTDOWN, "the call was ended here");
}

/* Has the failure told a moment later. */
static int fail_later(RpcCallHandle *handle, int error, const char *reason) {
        handle->error = error_of(handle, error);
        (void) snprintf(handle->reason, sizeof(handle->reason), "%s", reason);
        return hub_post(handle->hub, 0, tell_failure, drop, handle);
}

/* On the hub's loop. Returns 0, or a negative errno: then nobody will call on_done(). */
static int begin(RpcCallHandle *handle) {
        Peer *peer;
        int r;

        if (handle->hub->is_stopped)
                return -ESHUTDOWN;
        r = hub_find_peer(handle->hub, &handle->key, &peer);
        if (r < 0)
                return r;

        handle->call.body = &handle->body;
        r = channel_call(peer->channel, &handle->call, &handle->id);
        if (r == -ENOMEM || r == -EMSGSIZE)
                return r;
        if (r < 0)
                return fail_later(handle, r, channel_reason(peer->channel));

        handle->peer = peer;
        peer->n_calls++;
        return 0;
}

static void begin_posted(void *userdata) {
        RpcCallHandle *handle = userdata;
        int r;

        if (handle->is_canceled) {
                finish_failed(handle, -ECANCELED, "the call was ended here");
                return;
        }
        r = begin(handle);
        if (r < 0)
                finish_failed(handle, r, "there is no memory for it");
}

static int make(const RpcCall *what, RpcCallHandle **ret) {
        const CallType *type = call_types + what->kind;
        const Parties *parties = what->parties;
        RpcCallHandle *handle = malloc(sizeof(*handle));
        int r;

        if (!handle)
                return -ENOMEM;

        memset(handle, 0, sizeof(*handle));
        handle->references = 1;
        handle->hub = hub_of_thread(what->peers);
        handle->on_done = what->on_done;
        handle->userdata = what->userdata;
        handle->call = (ChannelCall){
                .kind = (uint16_t) what->kind,
                .stamp = { parties->lead, parties->sequence, parties->revision },
                .timeout_usec = what->timeout_usec   ? what->timeout_usec
                                : type->timeout_usec ? type->timeout_usec
                                                     : what->peers->options.timeout_usec,
                .on_answer = on_answer,
                .userdata = handle,
        };
        r = peer_key(parties, what->url, &handle->key);
        if (r < 0)
                free(handle);
        else
                *ret = handle;
        return r;
}

static void give_body_back(RpcCallHandle *handle, Buffer *body) {
        if (body)
                *body = handle->body;
        handle->body = (Buffer){};
}

int rpc_call(const RpcCall *what, RpcCallHandle **ret) {
        RpcCallHandle *handle;
        int r;

        assert(what->on_done);

        r = make(what, &handle);
        if (r < 0)
                return r;
        if (what->body) {
                handle->body = *what->body;
                *what->body = (Buffer){};
        }
        if (ret) {
                atomic_fetch_add(&handle->references, 1);
                *ret = handle;
        }

        r = hub_is_here(handle->hub) ? begin(handle)
                                     : hub_post(handle->hub, 0, begin_posted, drop, handle);
        if (r < 0) {
                give_body_back(handle, what->body);
                if (ret)
                        *ret = rpc_call_unref(handle);
                (void) rpc_call_unref(handle);
        }
        return r;
}

static void cancel(void *userdata) {
        RpcCallHandle *handle = userdata;

        handle->is_canceled = true;
        if (!handle->is_over && handle->peer)
                (void) channel_cancel(handle->peer->channel, handle->id);
        (void) rpc_call_unref(handle);
}

static void drop_cancel(void *userdata) {
        (void) rpc_call_unref(userdata);
}

void rpc_call_cancel(RpcCallHandle *handle) {
        atomic_fetch_add(&handle->references, 1);
        if (hub_post(handle->hub, 0, cancel, drop_cancel, handle) < 0)
                (void) rpc_call_unref(handle); /* it ends by itself, only later */
}
