/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sched.h>

#include "base/clock.h"
#include "store/disk/disk.h"
#include "store/environment/checkpointer.h"
#include "store/environment/committer.h"
#include "store/environment/database.h"
#include "store/environment/log-keeper.h"

/* A batch ends at either, for readers wait while it is applied. */
#define BATCH_OPERATIONS 256
#define BATCH_SIZE       (4 * MIB)

/* The list of what was submitted is a stack that any thread pushes to and the committer takes as a
 * whole. While the committer sleeps its only element is &asleep; the thread that replaces that must
 * wake it, no other. */
void environment_submit(Environment *environment, Operation *operation) {
        Committer *committer = &environment->committer;
        Operation *head = atomic_load(&committer->submitted);

        do
                operation->next = head == &committer->asleep ? NULL : head;
        while (!atomic_compare_exchange_weak(&committer->submitted, &head, operation));

        if (head == &committer->asleep)
                (void) sem_post(&committer->wakeup);
}

typedef struct Waiting {
        Operation operation;
        Operation *inner;
        sem_t done;
        int result;
} Waiting;

static int apply_inner(Operation *operation, Transaction *transaction) {
        Waiting *waiting = CONTAINER_OF(operation, Waiting, operation);

        return waiting->inner->apply(waiting->inner, transaction);
}

static void on_waiting_done(Operation *operation, int result) {
        Waiting *waiting = CONTAINER_OF(operation, Waiting, operation);

        waiting->result = result;
        (void) sem_post(&waiting->done);
}

int environment_run(Environment *environment, Operation *operation) {
        Waiting waiting = {
                .operation = { .apply = apply_inner, .done = on_waiting_done },
                .inner = operation,
        };

        (void) sem_init(&waiting.done, 0, 0);
        environment_submit(environment, &waiting.operation);
        while (sem_wait(&waiting.done) < 0)
                ; /* interrupted by a signal */
        (void) sem_destroy(&waiting.done);

        return waiting.result;
}

uint64_t environment_batches(const Environment *environment) {
        return atomic_load(&environment->committer.batches);
}

bool environment_is_stuck(const Environment *environment, uint64_t timeout_usec) {
        uint64_t busy_since = atomic_load(&environment->committer.busy_since);

        return busy_since > 0 && clock_monotonic() > busy_since + timeout_usec;
}

/* Takes all that was submitted, oldest first; NULL if there is nothing. */
static Operation *take_submitted(Committer *committer) {
        Operation *operation = atomic_exchange(&committer->submitted, NULL), *reversed = NULL;

        while (operation) {
                Operation *next = operation->next;

                operation->next = reversed;
                reversed = operation;
                operation = next;
        }

        return reversed;
}

/* Sleeps until there is something. */
static void wait_for_work(Committer *committer) {
        Operation *empty = NULL;

        atomic_store(&committer->busy_since, 0);

        if (atomic_compare_exchange_strong(&committer->submitted, &empty, &committer->asleep))
                while (sem_wait(&committer->wakeup) < 0)
                        ; /* interrupted by a signal */

        atomic_store(&committer->busy_since, clock_monotonic());
}

bool transaction_has_room(Transaction *transaction) {
        return transaction->has_room;
}

static int begin(Transaction *transaction) {
        Environment *environment = transaction->environment;
        DB_ENV *db_env = environment->db_env;
        int r;

        r = db_env->txn_begin(db_env, NULL, &transaction->txn, DB_TXN_NOSYNC);
        return environment_error(environment, r);
}

static void call_ended(const Environment *environment, bool committed) {
        if (environment->hooks.ended)
                environment->hooks.ended(committed, environment->hooks.userdata);
}

/* Commits, or undoes if anything failed. */
static int finish(Transaction *transaction, bool is_durable) {
        Environment *environment = transaction->environment;
        DB_TXN *txn = transaction->txn;
        int r;

        if (transaction->error >= 0 && environment->hooks.ending)
                (void) environment->hooks.ending(transaction, environment->hooks.userdata);
        if (transaction->error >= 0)
                (void) transaction_save_counters(transaction);
        if (transaction->error >= 0 && transaction->size > 0 && !is_durable)
                transaction->error = log_keeper_claim(environment);

        if (transaction->error < 0) {
                r = environment_error(environment, txn->abort(txn));
                if (r < 0) /* memory and log have parted */
                        disk_fatal("roll back a transaction of", environment->dir_fd, -r);
                call_ended(environment, false);
                return transaction->error;
        }

        /* Written before readers see it, though not flushed: what they have seen stays when the
         * process dies. */
        r = environment_error(
                        environment,
                        txn->commit(txn, is_durable ? DB_TXN_NOSYNC : DB_TXN_WRITE_NOSYNC));
        if (r < 0)
                disk_fatal("commit a transaction of", environment->dir_fd, -r);

        for (size_t i = 0; i < COUNTERS_MAX; i++)
                atomic_fetch_add(&environment->counters[i], (uint64_t) transaction->counters[i]);

        call_ended(environment, true);
        return 0;
}

/* Applies a batch in one transaction. Returns what is left of the list, or a negative errno in
 * RET_ERROR if the database failed and nothing has changed. */
static Operation *apply_batch(
                Environment *environment, const Batch *batch, Buffer *scratch, int *ret_error) {
        Transaction transaction = {
                .environment = environment,
                .has_room = batch->has_room,
                .scratch = *scratch,
        };
        size_t size_max = batch->is_durable ? SIZE_MAX : BATCH_SIZE;
        Operation *operation = batch->first;
        int r;

        r = begin(&transaction);
        if (r < 0) {
                *ret_error = r;
                return operation;
        }

        (void) pthread_rwlock_wrlock(&environment->lock);

        for (size_t n = 0; operation && n < batch->max && transaction.size < size_max; n++) {
                operation->result = operation->apply(operation, &transaction);
                if (transaction.error < 0)
                        break;
                operation = operation->next;
        }
        *ret_error = finish(&transaction, batch->is_durable);
        room_use(&environment->committer.room, transaction.size);

        (void) pthread_rwlock_unlock(&environment->lock);

        *scratch = transaction.scratch;
        return operation;
}

/* Something in the batch up to and including LAST met a failing database: all but the culprits
 * pass. */
static Operation *apply_alone(
                Environment *environment, const Batch *batch, Operation *last, Buffer *scratch) {
        Batch alone = *batch;

        for (alone.max = 1;; alone.first = alone.first->next) {
                int r;

                (void) apply_batch(environment, &alone, scratch, &r);
                if (r < 0)
                        alone.first->result = r;
                if (alone.first == last || !alone.first->next)
                        return alone.first->next;
        }
}

/* Likewise for a batch of which either everything passes or nothing. */
static Operation *apply_again(
                Environment *environment, const Batch *batch, Buffer *scratch, int error) {
        const EnvironmentHooks *hooks = &environment->hooks;
        Operation *rest = batch->first;

        while (hooks->failed(error, hooks->userdata)) {
                atomic_store(&environment->committer.busy_since, clock_monotonic());
                rest = apply_batch(environment, batch, scratch, &error);
                if (error >= 0)
                        return rest;
        }

        rest = batch->first;
        for (size_t n = 0; rest && n < batch->max; n++, rest = rest->next)
                if (rest->result >= 0)
                        rest->result = error;
        return rest;
}

static void flush(Environment *environment) {
        DB_ENV *db_env = environment->db_env;
        int r;

        r = environment_error(environment, db_env->log_flush(db_env, NULL));
        if (r < 0)
                disk_fatal("flush the log of", environment->dir_fd, -r);
        log_keeper_note_flush(environment);
}

/* All from the first operation of the batch up to END is on the disk. */
static void tell(Environment *environment, const Batch *batch, const Operation *end) {
        const EnvironmentOptions *options = &environment->options;
        Operation *operation = batch->first;

        if (options->before_done)
                options->before_done();
        if (environment->hooks.flushed)
                environment->hooks.flushed(environment->hooks.userdata);

        while (operation != end) {
                Operation *next = operation->next; /* done() gives the operation away */

                operation->done(operation, operation->result);
                operation = next;
        }

        if (options->after_done)
                options->after_done();
}

static bool has_room(Environment *environment) {
        Room *room = &environment->committer.room;
        uint64_t now_usec = clock_monotonic();

        if (!room_is_certain(room, now_usec))
                room_note(room, databases_room(environment, environment->growing), now_usec);
        return room->size > 0;
}

/* Returns what is left of the list. */
static Operation *run_batch(Environment *environment, Operation *first, Buffer *scratch) {
        Batch batch = {
                .first = first,
                .max = BATCH_OPERATIONS,
                .has_room = has_room(environment),
        };
        Operation *rest;
        int r;

        if (environment->hooks.prepare)
                environment->hooks.prepare(&batch, environment->hooks.userdata);

        rest = apply_batch(environment, &batch, scratch, &r);
        if (r < 0 && batch.is_whole)
                rest = apply_again(environment, &batch, scratch, r);
        else if (r < 0)
                rest = apply_alone(environment, &batch, rest, scratch);

        if (!batch.is_durable)
                flush(environment);
        atomic_fetch_add(&environment->committer.batches, 1);
        tell(environment, &batch, rest);
        checkpointer_note(environment); /* it may wait */

        atomic_store(&environment->committer.busy_since, clock_monotonic());
        return rest;
}

static void *committer_main(void *userdata) {
        Environment *environment = userdata;
        Committer *committer = &environment->committer;
        Buffer scratch = {};

        (void) pthread_setname_np(pthread_self(), "committer");

        while (!committer->stop) {
                Operation *operations;

                /* Threads that are about to submit get the time to, which makes the batch larger.
                 */
                (void) sched_yield();

                operations = take_submitted(committer);
                if (!operations)
                        wait_for_work(committer);
                while (operations)
                        operations = run_batch(environment, operations, &scratch);
        }

        buffer_done(&scratch);
        return NULL;
}

int committer_start(Environment *environment) {
        Committer *committer = &environment->committer;
        int r;

        r = pthread_create(&committer->thread, NULL, committer_main, environment);
        if (r > 0)
                return -r;

        committer->is_running = true;
        return 0;
}

typedef struct Stop {
        Operation operation;
        Committer *committer;
} Stop;

static int apply_stop(Operation *operation, Transaction *transaction) {
        Stop *stop = CONTAINER_OF(operation, Stop, operation);

        stop->committer->stop = true;
        return 0;
}

void committer_stop(Environment *environment) {
        Committer *committer = &environment->committer;
        Stop stop = { .operation.apply = apply_stop, .committer = committer };

        if (!committer->is_running)
                return;

        (void) environment_run(environment, &stop.operation);
        (void) pthread_join(committer->thread, NULL);
        committer->is_running = false;
}
