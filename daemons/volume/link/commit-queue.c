/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "volume/link/commit-queue.h"

#define BATCH_MAX  512
#define RETRY_USEC (100 * USEC_PER_MSEC)

struct CommitQueue {
        MasterLink *master; /* not owned */
        pthread_mutex_t lock;
        Commit *waiting, **tail; /* under the lock */
        bool is_busy;            /* under the lock: a call, or the pause after one, is under way */
        Commit *sent;            /* by the call that is under way; on the peers' thread only */
};

int commit_queue_new(MasterLink *master, CommitQueue **ret) {
        _cleanup_(commit_queue_freep) CommitQueue *queue = NULL;

        assert(master);
        assert(ret);

        queue = malloc(sizeof(*queue));
        if (!queue)
                return -ENOMEM;

        *queue = (CommitQueue){ .master = master, .lock = PTHREAD_MUTEX_INITIALIZER };
        queue->tail = &queue->waiting;

        *ret = TAKE_PTR(queue);
        return 0;
}

CommitQueue *commit_queue_free(CommitQueue *queue) {
        if (!queue)
                return NULL;

        (void) pthread_mutex_destroy(&queue->lock);
        free(queue);
        return NULL;
}

static void finish(Commit *list, int error) {
        while (list) {
                Commit *commit = list;
                WireCommitResult result = { .error = error, .revision = commit->revision };

                list = commit->next;
                commit->done(commit, &result);
        }
}

/* Otherwise the master has lost the lead, or does not know: the next answer will tell. */
static bool is_answered(const WireCommitResult *result) {
        return result->error != -ECOMM && result->error != -EOWNERDEAD;
}

/* Hands out the answers; RET_AGAIN are the commits that got none. Returns -EBADMSG, and hands out
 * none, if there are not as many as commits were sent. */
static int finish_answered(Commit *list, const RpcResult *answer, Commit **ret_again) {
        WireCommitResult results[BATCH_MAX];
        Reader reader = READER(answer->body, answer->body_size);
        Commit **again = ret_again;
        size_t n = 0;

        *ret_again = NULL;
        for (Commit *commit = list; commit; commit = commit->next)
                results[n++] = wire_get_commit_result(&reader);
        if (reader_end(&reader) < 0)
                return -EBADMSG;

        for (n = 0; list; n++) {
                Commit *commit = list;

                list = commit->next;
                if (is_answered(results + n)) {
                        commit->done(commit, results + n);
                        continue;
                }
                commit->revision = results[n].revision ?: commit->revision;
                commit->next = NULL;
                *again = commit;
                again = &commit->next;
        }
        return 0;
}

static void send_next(void *userdata);

static bool may_go_again(const Commit *commit, uint64_t now) {
        return commit->deadline_usec > now &&
               !(commit->is_abandoned && commit->is_abandoned(commit));
}

/* Ends the commits whose time is over; puts the others back at the head of the queue. */
static void put_back(CommitQueue *queue, Commit *list) {
        uint64_t now = clock_monotonic();
        Commit *expired = NULL, *again = NULL, **expired_tail = &expired, **again_tail = &again;

        for (; list; list = list->next) {
                Commit ***tail = may_go_again(list, now) ? &again_tail : &expired_tail;

                **tail = list;
                *tail = &list->next;
        }
        *expired_tail = NULL;

        (void) pthread_mutex_lock(&queue->lock);
        *again_tail = queue->waiting;
        if (!queue->waiting && again)
                queue->tail = again_tail;
        queue->waiting = again;
        (void) pthread_mutex_unlock(&queue->lock);

        finish(expired, -ECOMM);
}

static void post(CommitQueue *queue, uint64_t delay_usec) {
        if (master_link_post(queue->master, delay_usec, send_next, queue) < 0)
                abort(); /* out of memory: these clients would never get an answer */
}

static void on_answer(const RpcResult *result, void *userdata) {
        CommitQueue *queue = userdata;
        Commit *sent = TAKE_PTR(queue->sent), *again;

        if (result->error == -ESHUTDOWN) {
                finish(sent, -ESHUTDOWN);
                return;
        }
        if (master_link_result(queue->master, result) == 0 &&
            finish_answered(sent, result, &again) == 0) {
                if (!again) {
                        send_next(queue);
                        return;
                }
                sent = again;
        }

        put_back(queue, sent);
        post(queue, RETRY_USEC);
}

/* Takes a batch off the queue and encodes it. Returns its first commit, or NULL if nothing waits.
 */
static Commit *take_batch(CommitQueue *queue, Buffer *body) {
        Commit *first, *last = NULL;

        (void) pthread_mutex_lock(&queue->lock);
        first = queue->waiting;
        for (size_t n = 0; n < BATCH_MAX && queue->waiting; n++) {
                last = queue->waiting;
                wire_put_commit(body, &last->wire);
                queue->waiting = last->next;
        }
        if (last)
                last->next = NULL;
        if (!queue->waiting)
                queue->tail = &queue->waiting;
        queue->is_busy = first;
        (void) pthread_mutex_unlock(&queue->lock);

        return first;
}

/* On the peers' thread, like everything that touches what was sent. */
static void send_next(void *userdata) {
        CommitQueue *queue = userdata;
        _cleanup_(buffer_done) Buffer body = {};
        int r;

        queue->sent = take_batch(queue, &body);
        if (!queue->sent)
                return;

        r = buffer_error(&body);
        if (r >= 0)
                r = master_link_call(queue->master, CALL_COMMIT, &body, on_answer, queue);
        if (r < 0)
                on_answer(&(RpcResult){ .error = r }, queue);
}

void commit_queue_submit(CommitQueue *queue, Commit *commit) {
        bool idle;

        commit->next = NULL;
        commit->revision = 0;
        if (commit->deadline_usec == 0)
                commit->deadline_usec = UINT64_MAX;
        commit->deadline_usec = MIN(
                        commit->deadline_usec, clock_monotonic() + COMMIT_PATIENCE_USEC);

        (void) pthread_mutex_lock(&queue->lock);
        *queue->tail = commit;
        queue->tail = &commit->next;
        idle = !queue->is_busy;
        queue->is_busy = true;
        (void) pthread_mutex_unlock(&queue->lock);

        if (idle)
                post(queue, 0);
}
