/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "consensus/message-codec.h"
#include "master/group/group-internal.h"

#define MESSAGE_SIZE (1 * MIB)
#define WINDOW_SIZE  (8 * MIB)
#define RECENT_SIZE  (64 * MIB) /* of entries that are on the disk */

void group_note_broken(Group *group, int error) {
        if (group->broken == 0)
                group->broken = error;
}

static void on_lost(uint64_t member, void *userdata) {
        Group *group = userdata;

        (void) inbox_put(&group->inbox, &(Letter){ LETTER_LOST, .member = member }, NULL);
}

static void on_progress(void *userdata) {
        Group *group = userdata;

        inbox_wake(&group->inbox);
}

/* -- What comes -- */

static void take_message(Group *group, const Letter *letter) {
        _cleanup_free_ Entry *entries = NULL;
        ConsensusUpdate update;
        Message message;
        const char *why;
        int r;

        r = message_decode(letter->data.data, letter->data.size, &message, &entries, &why);
        if (r < 0 || message.from != letter->member)
                return;

        r = consensus_receive(group->core, group_now(), &message, &update);
        group_carry_out(group, r, &update);
}

/* A leader sends again what may not have arrived. A follower whose leader's channels have all ended
 * has lost it, and need not wait for the election time. Nothing else is a reason to act: a member
 * that closes its channels to the leader may still be there, and so may a leader that a message of
 * a follower did not get to. */
static void take_disconnection(Group *group, const Letter *letter) {
        bool leads = group->view.role == CONSENSUS_LEADER;
        ConsensusUpdate update;
        int r;

        if (leads != (letter->type == LETTER_LOST) ||
            (!leads && mail_is_open(group->mail, letter->member)))
                return;
        r = consensus_disconnected(group->core, group_now(), letter->member, &update);
        group_carry_out(group, r, &update);
}

static void take_letters(Group *group, const Letter *letter) {
        for (; letter; letter = letter->next)
                if (letter->type == LETTER_PROPOSAL)
                        letter = group_take_proposals(group, letter);
                else if (letter->type == LETTER_MESSAGE)
                        take_message(group, letter);
                else
                        take_disconnection(group, letter);
}

static void tick(Group *group) {
        uint64_t now = group_now();
        ConsensusUpdate update;
        int r;

        if (consensus_deadline(group->core) > now)
                return;
        r = consensus_tick(group->core, now, &update);
        group_carry_out(group, r, &update);
}

static void turn(Group *group, const Letter *letters) {
        group_take_progress(group);
        take_letters(group, letters);
        group_take_errands(group);
        group_tell_rest(group);
        tick(group);
        group_settle_transfer(group);
        log_writer_begin(group->writer);
        recent_trim(&group->recent, consensus_match(group->core, group->options.self), RECENT_SIZE);
        group_publish_status(group);
}

/* What is refused was not proposed, for nobody can say so any more. */
static void refuse_letters(Group *group, Letter *letter) {
        for (; letter; letter = letter->next)
                if (letter->type == LETTER_PROPOSAL)
                        group->options.on_refused(
                                        letter->proposal, -ESHUTDOWN, group->options.userdata);
}

static Letter *free_letters(Letter *letter) {
        while (letter) {
                Letter *next = letter->next;

                (void) letter_free(letter);
                letter = next;
        }
        return NULL;
}

static uint64_t time_left(const Group *group) {
        uint64_t deadline = consensus_deadline(group->core), now = group_now();

        if (group->told < group->commit)
                deadline = MIN(deadline, group->tell_usec);
        return deadline > now ? deadline - now : 0;
}

/* Tells what is not known of what is asked for. */
static void end(Group *group, Letter *letters) {
        atomic_store(&group->lease_end, 0);
        inbox_close(&group->inbox);
        refuse_letters(group, letters);
        (void) free_letters(letters);
        (void) inbox_wait(&group->inbox, 0, &letters);
        refuse_letters(group, letters);
        (void) free_letters(letters);
        group_end_orders(group);
        if (group->broken < 0)
                group->options.on_broken(group->broken, group->options.userdata);
}

static void *run(void *userdata) {
        Group *group = userdata;
        Letter *letters = NULL;

        group_carry_out(group, 0, &group->first);
        turn(group, NULL);
        while (group->broken == 0 && inbox_wait(&group->inbox, time_left(group), &letters)) {
                turn(group, letters);
                letters = free_letters(letters);
        }
        end(group, letters);
        return NULL;
}

/* -- The whole -- */

static int open_log(Group *group) {
        const GroupOptions *options = &group->options;
        uint64_t term;
        int r;

        r = entry_log_open(
                        &(EntryLogOptions){ options->dir_fd, options->new_log,
                                            options->segment_size },
                        &group->log);
        if (r >= 0)
                recent_reset(&group->recent, entry_log_last(group->log, &term));
        return r;
}

static int open_core(Group *group) {
        const GroupOptions *options = &group->options;
        ConsensusOptions core = {
                .self = options->self,
                .seed = options->seed,
                .election_usec = options->election_usec,
                .heartbeat_usec = options->heartbeat_usec,
                .batch_size = MESSAGE_SIZE,
                .window_size = WINDOW_SIZE,
                .backlog_size = GROUP_BACKLOG_SIZE,
                .lease = options->lease,
        };
        ConsensusDisk disk;
        int r;

        memcpy(core.group, options->group, sizeof(core.group));
        r = entry_log_load(group->log, &disk);
        if (r < 0)
                return r;
        disk.applied = &options->applied;
        r = consensus_new(&core, group_now(), &disk, &group->core, &group->first);
        if (r < 0)
                return r;

        group->told = group->commit = options->applied.index;
        return 0;
}

static int open_mail(Group *group) {
        MailOptions options = {
                .self = group->options.self,
                .run = group->options.run,
                .peers = group->options.peers,
                .on_lost = on_lost,
                .userdata = group,
        };

        memcpy(options.group, group->options.group, sizeof(options.group));
        memcpy(options.cluster, group->options.cluster, sizeof(options.cluster));
        return mail_new(&options, &group->mail);
}

int group_new(const GroupOptions *options, Group **ret) {
        _cleanup_(group_freep) Group *group = calloc(1, sizeof(*group));
        int r;

        if (!group)
                return -ENOMEM;

        group->options = *options;
        inbox_init(&group->inbox);
        errands_init(&group->errands);
        (void) pthread_mutex_init(&group->status_lock, NULL);
        r = open_mail(group);
        if (r < 0)
                return r;
        r = open_log(group);
        if (r < 0)
                return r;
        r = open_core(group);
        if (r < 0)
                return r;

        r = log_writer_new(group->log, on_progress, group, &group->writer);
        if (r < 0)
                return r;

        group_publish_status(group);
        *ret = group; /* callbacks may come from now on */
        r = -pthread_create(&group->thread, NULL, run, group);
        if (r < 0) {
                *ret = NULL;
                return r;
        }

        group->has_thread = true;
        (void) TAKE_PTR(group);
        return 0;
}

void group_stop(Group *group) {
        if (!group || !group->has_thread)
                return;

        inbox_close(&group->inbox);
        (void) pthread_join(group->thread, NULL);
        group->writer = log_writer_free(group->writer);
        group->has_thread = false;
}

Group *group_free(Group *group) {
        if (!group)
                return NULL;

        group_stop(group);
        (void) log_writer_free(group->writer);
        (void) mail_free(group->mail);
        (void) consensus_free(group->core);
        (void) entry_log_free(group->log);
        recent_done(&group->recent);
        inbox_done(&group->inbox);
        errands_done(&group->errands);
        (void) pthread_mutex_destroy(&group->status_lock);
        for (size_t i = 0; i < HELD_MAX; i++)
                buffer_done(&group->held[i].bytes);
        buffer_done(&group->scratch);
        free(group->waiting);
        free(group);
        return NULL;
}

int group_propose(Group *group, Buffer *data, void *proposal) {
        if (data->size > ENTRY_SIZE_MAX)
                return -EFBIG;
        return inbox_put(&group->inbox, &(Letter){ LETTER_PROPOSAL, .proposal = proposal }, data);
}

/* Who was first has the thread woken. */
static int ask(Group *group, int r) {
        if (r > 0)
                inbox_wake(&group->inbox);
        return MIN(r, 0);
}

int group_probe(Group *group, GroupProbe *probe) {
        return ask(group, errands_put_probe(&group->errands, probe));
}

int group_change(Group *group, GroupChange *change) {
        return ask(group, errands_put_change(&group->errands, change));
}

int group_transfer(Group *group, GroupTransfer *transfer) {
        return ask(group, errands_put_transfer(&group->errands, transfer));
}

/* Who is stopped need not be told, here and below. */
void group_ready(Group *group) {
        (void) ask(group, errands_put_ready(&group->errands));
}

void group_compact(Group *group, uint64_t index) {
        (void) ask(group, errands_put_compaction(&group->errands, index));
}

void group_installed(Group *group, const ConsensusApplied *applied) {
        (void) ask(group, errands_put_database(&group->errands, applied));
}

bool group_has_lease(const Group *group, uint64_t term) {
        uint64_t end = atomic_load(&group->lease_end);

        return atomic_load(&group->lease_term) == term && group_now() < end;
}

void group_status(Group *group, GroupStatus *ret) {
        (void) pthread_mutex_lock(&group->status_lock);
        *ret = group->status;
        (void) pthread_mutex_unlock(&group->status_lock);
        for (size_t i = 0; i < ret->members.n; i++)
                ret->is_open[i] = mail_is_open(group->mail, ret->members.member[i].id);
}

int group_admit(const Group *group, const Handshake *offer, Handshake *answer) {
        return mail_admit(group->mail, offer, answer);
}

/* Who sends is not kept waiting for what becomes of the message. */
int group_receive(Group *group, RpcRequest *request) {
        _cleanup_(buffer_done) Buffer data = {};
        const Buffer *body = rpc_request_body(request);
        Letter letter = { .type = LETTER_MESSAGE };
        size_t begin;
        int r;

        r = mail_take(group->mail, rpc_request_parties(request), body, &letter.member, &begin);
        if (r < 0)
                return r;
        buffer_put(&data, (const uint8_t *) body->data + begin, body->size - begin);
        r = buffer_error(&data);
        if (r >= 0)
                r = inbox_put(&group->inbox, &letter, &data);
        return r < 0 ? r : rpc_request_reply(request, NULL, NULL);
}

void group_connected(Group *group, const Handshake *offer) {
        (void) mail_opened(group->mail, &offer->from);
}

void group_disconnected(Group *group, const Handshake *offer) {
        uint64_t member = mail_closed(group->mail, &offer->from);

        if (member > 0)
                (void) inbox_put(&group->inbox, &(Letter){ LETTER_CLOSED, .member = member }, NULL);
}
