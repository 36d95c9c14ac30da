/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/file.h"
#include "core/call/wire.h"
#include "volume/call/check.h"

typedef struct Check {
        Task task;
        const CheckOptions *options; /* not owned */
        RpcRequest *request;
        WireCheck depth;
        Reader versions; /* of the request's body */
} Check;

static int look(ObjectStore *store, WireCheck depth, uint64_t version, Buffer *scratch) {
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        r = object_store_get(store, version, scratch, &object, &fd);
        if (r < 0 || depth == WIRE_CHECK_PRESENT || object.is_inline)
                return r;
        return object_store_verify(store, version);
}

static void note(const Copies *copies, uint64_t version, int result) {
        _cleanup_(buffer_done) Buffer key = {};

        if (result >= 0)
                damage_forget(copies->damage, version);
        else if (result != -ENOENT && object_store_key(copies->store, version, &key) >= 0)
                (void) damage_found(copies->damage, (const char *) key.data, version, result);
}

/* A version that was not looked at must count neither as good nor as damaged. A master that has
 * lost patience asks again, and the verifier has others to serve. */
static int is_wanted(const RpcRequest *request) {
        return rpc_request_check(request);
}

/* On the verifier's thread. */
static void run_check(Task *task) {
        Check *check = CONTAINER_OF(task, Check, task);
        const Copies *copies = check->options->copies;
        _cleanup_(buffer_done) Buffer answer = {}, scratch = {};

        while (check->versions.size > 0) {
                uint64_t version = reader_get_u64(&check->versions);
                int r;

                r = is_wanted(check->request);
                if (r < 0) {
                        (void) rpc_request_refuse(check->request, r, NULL);
                        return;
                }

                r = look(copies->store, check->depth, version, &scratch);
                if (check->depth == WIRE_CHECK_WHOLE) /* else nobody knows that it is good */
                        note(copies, version, r);
                wire_put_error(&answer, MIN(r, 0));
        }
        (void) rpc_request_reply(check->request, NULL, &answer);
}

int check_finish(const CheckOptions *options, RpcRequest *request) {
        const Buffer *body;
        Reader reader;
        uint8_t depth;
        Check *check;

        body = caller_read_order(options->callers, request);
        reader = READER(body->data, body->size);
        depth = reader_get_u8(&reader);
        if (reader_error(&reader) < 0 || depth >= _WIRE_CHECK_MAX ||
            reader.size % sizeof(uint64_t) != 0 ||
            reader.size > WIRE_CHECK_VERSIONS_MAX * sizeof(uint64_t))
                return -EINVAL;

        check = malloc(sizeof(*check));
        if (!check)
                return -ENOMEM;
        *check = (Check){
                .task.run = run_check,
                .options = options,
                .request = request,
                .depth = depth,
                .versions = reader,
        };
        rpc_request_set_state(request, check, free);
        workers_submit(options->workers, &check->task);
        return RPC_LATER;
}
