/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "http/record.h"
#include "master/request/remove.h"
#include "master/request/requests.h"
#include "master/upkeep/deadlines.h"

typedef struct Remove {
        HttpRequest *request;
        char key[KEY_MAX + 1];
        IndexDelete deletion;
} Remove;

static void on_deleted(IndexRequest *request, IndexResult result) {
        Remove *remove = CONTAINER_OF(request, Remove, deletion.request);

        if (result.error < 0)
                (void) http_request_reply_error(
                                remove->request, result.error,
                                result.outcome == INDEX_UNKNOWN
                                                ? "The value may have been deleted, or may still be: HEAD tells."
                                                : NULL);
        else
                (void) http_request_reply(remove->request, 204);
}

int remove_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        Remove *remove;
        int r;

        if (lead_refuses(requests->lead, request))
                return 0;
        remove = calloc(1, sizeof(*remove));
        if (!remove)
                return -ENOMEM;
        *http_request_state(request) = remove;

        remove->request = request;
        r = key_from_path(http_request_path(request), remove->key);
        if (r < 0)
                return r;
        r = http_request_get_condition(request, &remove->deletion.condition);
        if (r < 0)
                return r;

        remove->deletion.request.done = on_deleted;
        remove->deletion.key = remove->key;
        remove->deletion.garbage_due_usec = deadline_of_garbage(requests->grace_usec);
        index_delete(requests->index, &remove->deletion);
        return HTTP_LATER;
}

void remove_end(HttpRequest *request) {
        free(*http_request_state(request));
}
