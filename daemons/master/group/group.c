/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "consensus/message-codec.h"
#include "master/group/group.h"
#include "master/group/inbox.h"
#include "master/group/recent.h"
#include "store/entries/entry-log.h"

#define MESSAGE_SIZE (1 * MIB)
#define WINDOW_SIZE  (8 * MIB)
#define BACKLOG_SIZE (64 * MIB)
#define RECENT_SIZE  (64 * MIB)    /* of entries that are on the disk */
#define STAGED_MAX   ((size_t) 64) /* writes that one flush is for */
#define PROPOSED_MAX ((size_t) 64) /* in one call of the core */
#define FULL_USEC    (100 * USEC_PER_MSEC)

/* An entry of this process that is not decided yet. */
typedef struct Waiting {
        uint64_t index, term;
        void *proposal;
} Waiting;

struct Group {
        GroupOptions options;
        Inbox inbox;
        Mail *mail; /* owned */
        pthread_t thread;
        bool has_thread;

        /* of the thread */
        Consensus *core;       /* owned */
        ConsensusUpdate first; /* with which it begins */
        EntryLog *log;         /* owned */
        Recent recent;
        GroupView view;
        uint64_t told; /* the last entry that on_decided() had */
        int broken;

        ConsensusWrite staged[STAGED_MAX]; /* without their entries, which are among the recent */
        size_t n_staged;
        ConsensusWrite written; /* the last one that the core was not told of; number 0 if none */

        Waiting *waiting; /* owned; in the order of the entries, from FIRST_WAITING on */
        size_t first_waiting, n_waiting, waiting_allocated;
        Buffer scratch;
};

static uint64_t now_usec(void) {
        return clock_usec(CLOCK_BOOTTIME);
}

static void note_broken(Group *group, int error) {
        if (group->broken == 0)
                group->broken = error;
}

/* -- The disk -- */

static bool may_repeat(int r) {
        return r == -ENOSPC || r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* The disk is full, for example: nothing goes on until there is room. */
static bool wait_for_room(Group *group, int r) {
        if (!may_repeat(r))
                note_broken(group, r);
        if (group->broken < 0)
                return false;

        (void) pthread_mutex_lock(&group->inbox.lock);
        if (group->inbox.is_closed)
                group->broken = -ESHUTDOWN;
        (void) pthread_mutex_unlock(&group->inbox.lock);
        (void) usleep(FULL_USEC);
        return group->broken == 0;
}

static void write_vote(Group *group, uint64_t term, uint64_t vote) {
        int r;

        do
                r = entry_log_vote(group->log, term, vote);
        while (r < 0 && wait_for_room(group, r));
}

/* Carries out what is staged, by one flush. The core is told later. */
static void write_staged(Group *group) {
        int r;

        if (group->n_staged == 0 || group->broken < 0)
                return;

        for (size_t i = 0; i < group->n_staged; i++)
                group->staged[i].entries = recent_find(&group->recent, group->staged[i].first);
        do
                r = entry_log_write(group->log, group->staged, group->n_staged);
        while (r < 0 && wait_for_room(group, r));
        group->written = group->staged[group->n_staged - 1];
        group->n_staged = 0;
}

/* Entries that are to be on the disk, and are cut off again, are there before that is. */
static void stage(Group *group, const ConsensusWrite *write) {
        bool cuts = write->reset || write->first <= recent_last(&group->recent);

        if (cuts || group->n_staged == STAGED_MAX)
                write_staged(group);
        if (write->reset)
                recent_reset(&group->recent, write->first - 1);
        else if (cuts)
                recent_cut(&group->recent, write->first - 1);
        for (size_t i = 0; write->first + i <= write->last; i++)
                if (recent_append(&group->recent, write->entries + i) < 0)
                        note_broken(group, -ENOMEM);
        assert(group->n_staged < STAGED_MAX);
        group->staged[group->n_staged++] = *write;
}

static int find_entry(Group *group, uint64_t index, Entry *ret) {
        const Entry *entry = recent_find(&group->recent, index);

        if (!entry)
                return entry_log_read(group->log, index, &group->scratch, ret);
        *ret = *entry;
        return 0;
}

/* -- Messages -- */

static int encode(Group *group, const Message *message, Buffer *ret) {
        message_encode_head(message, ret);
        for (size_t i = 0; i < message->n; i++) {
                Entry entry;
                int r;

                r = find_entry(group, message->index + 1 + i, &entry);
                if (r < 0)
                        return r;
                message_encode_entry(&entry, ret);
        }
        return buffer_error(ret);
}

static void send_message(Group *group, const Message *message) {
        _cleanup_(buffer_done) Buffer bytes = {};
        const Member *to;
        bool is_decided;
        int r;

        to = members_find(consensus_members(group->core, &is_decided), message->to);
        if (!to)
                return;
        r = encode(group, message, &bytes);
        if (r == -EBADMSG)
                note_broken(group, r);
        if (r >= 0)
                (void) mail_send(group->mail, to, &bytes); /* or it is lost */
}

/* A set of members is decided: who is not in it, or in one that follows, is not sent anything. */
static void forget_members(Group *group) {
        bool is_decided;

        mail_keep(group->mail, consensus_members(group->core, &is_decided));
}

static void on_lost(uint64_t member, void *userdata) {
        Group *group = userdata;

        (void) inbox_put(&group->inbox, &(Letter){ LETTER_LOST, .member = member }, NULL);
}

/* -- Proposals -- */

/* Makes room for one behind the others. They are moved only if that frees half of it. */
static int reserve_waiting(Group *group) {
        size_t allocated = MAX(2 * group->waiting_allocated, (size_t) 64);
        Waiting *waiting;

        if (group->first_waiting + group->n_waiting < group->waiting_allocated)
                return 0;
        if (group->n_waiting < group->waiting_allocated / 2) {
                memmove(group->waiting, group->waiting + group->first_waiting,
                        group->n_waiting * sizeof(*waiting));
                group->first_waiting = 0;
                return 0;
        }

        waiting = reallocarray(group->waiting, allocated, sizeof(*waiting));
        if (!waiting)
                return -ENOMEM;
        group->waiting = waiting;
        group->waiting_allocated = allocated;
        return 0;
}

static int note_waiting(Group *group, uint64_t index, uint64_t term, void *proposal) {
        int r;

        r = reserve_waiting(group);
        if (r >= 0)
                group->waiting[group->first_waiting + group->n_waiting++] = (Waiting){ index, term,
                                                                                       proposal };
        return r;
}

/* What was proposed with the entry that is decided at an index. */
static void *take_proposal(Group *group, uint64_t index, uint64_t term) {
        const Waiting *first = group->waiting + group->first_waiting;

        if (group->n_waiting == 0 || first->index != index)
                return NULL;

        group->first_waiting++;
        group->n_waiting--;
        return first->term == term ? first->proposal : NULL;
}

static void give_up_waiting(Group *group) {
        for (size_t i = 0; i < group->n_waiting; i++)
                group->options.on_refused(
                                group->waiting[group->first_waiting + i].proposal, -EINPROGRESS,
                                group->options.userdata);
        group->n_waiting = 0;
}

/* -- Updates -- */

static void tell_decided(Group *group, uint64_t commit) {
        while (group->told < commit && group->broken == 0) {
                uint64_t index = group->told + 1;
                Entry entry;
                int r;

                r = find_entry(group, index, &entry);
                if (r < 0) {
                        note_broken(group, r == -ENODATA ? -EBADMSG : r);
                        return;
                }
                group->told = index;
                if (entry.type == ENTRY_MEMBERS)
                        forget_members(group);
                group->options.on_decided(
                                index, &entry, take_proposal(group, index, entry.term),
                                group->options.userdata);
        }
}

static void note_view(Group *group, const ConsensusUpdate *update) {
        GroupView view = { update->role, update->term, update->leader };
        bool is_other = view.term != group->view.term || view.role != group->view.role;

        if (is_other && group->view.role == CONSENSUS_LEADER)
                give_up_waiting(group);
        if (is_other || view.leader != group->view.leader) {
                group->view = view;
                group->options.on_view(&view, group->options.userdata);
        }
}

/* After each call of the core. */
static void carry_out(Group *group, int r, const ConsensusUpdate *update) {
        if (r == -EUCLEAN)
                note_broken(group, r);
        if (r < 0 || group->broken < 0)
                return;

        if (update->vote_changed)
                write_vote(group, update->term, update->vote);
        if (update->write.number > 0 && group->broken == 0)
                stage(group, &update->write);
        for (size_t i = 0; i < update->n_messages && group->broken == 0; i++)
                send_message(group, update->messages + i);
        tell_decided(group, update->commit);
        if (group->broken == 0)
                note_view(group, update);
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

        r = consensus_receive(group->core, now_usec(), &message, &update);
        carry_out(group, r, &update);
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
        r = consensus_disconnected(group->core, now_usec(), letter->member, &update);
        carry_out(group, r, &update);
}

/* Takes the proposals that come first, at most PROPOSED_MAX. Returns the last of them. */
static const Letter *take_proposals(Group *group, const Letter *first) {
        Entry entries[PROPOSED_MAX];
        const Letter *last = first, *letter = first;
        ConsensusUpdate update;
        size_t n = 0;
        int r;

        for (; letter && letter->type == LETTER_PROPOSAL && n < PROPOSED_MAX;
             letter = letter->next, n++) {
                entries[n] = (Entry){ .size = (uint32_t) letter->data.size,
                                      .data = letter->data.data };
                last = letter;
        }
        r = consensus_propose(group->core, now_usec(), entries, n, &update);
        for (size_t i = 0; i < n; i++, first = first->next) {
                if (r >= 0 &&
                    note_waiting(group, update.write.first + i, update.term, first->proposal) >= 0)
                        continue;
                group->options.on_refused(
                                first->proposal, r < 0 ? r : -EINPROGRESS, group->options.userdata);
        }
        carry_out(group, r, &update);
        return last;
}

static void take_letters(Group *group, const Letter *letter) {
        for (; letter; letter = letter->next)
                if (letter->type == LETTER_PROPOSAL)
                        letter = take_proposals(group, letter);
                else if (letter->type == LETTER_MESSAGE)
                        take_message(group, letter);
                else
                        take_disconnection(group, letter);
}

static void tick(Group *group) {
        uint64_t now = now_usec();
        ConsensusUpdate update;
        int r;

        if (consensus_deadline(group->core) > now)
                return;
        r = consensus_tick(group->core, now, &update);
        carry_out(group, r, &update);
}

/* What is staged gets to the disk, and then what follows on that. */
static void finish_turn(Group *group) {
        ConsensusUpdate update;
        int r;

        write_staged(group);
        while (group->written.number > 0 && group->broken == 0) {
                ConsensusWrite written = group->written;

                group->written = (ConsensusWrite){};
                r = consensus_written(group->core, now_usec(), &written, &update);
                carry_out(group, r, &update);
                write_staged(group);
        }
        recent_trim(&group->recent, group->told, RECENT_SIZE);
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
        uint64_t deadline = consensus_deadline(group->core), now = now_usec();

        return deadline > now ? deadline - now : 0;
}

static void *run(void *userdata) {
        Group *group = userdata;
        Letter *letters = NULL;

        carry_out(group, 0, &group->first);
        finish_turn(group);
        while (group->broken == 0 && inbox_wait(&group->inbox, time_left(group), &letters)) {
                take_letters(group, letters);
                tick(group);
                finish_turn(group);
                letters = free_letters(letters);
        }
        inbox_close(&group->inbox);
        refuse_letters(group, letters);
        (void) free_letters(letters);
        (void) inbox_wait(&group->inbox, 0, &letters);
        refuse_letters(group, letters);
        (void) free_letters(letters);
        give_up_waiting(group);
        if (group->broken < 0 && group->broken != -ESHUTDOWN)
                group->options.on_broken(group->broken, group->options.userdata);
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
                .backlog_size = BACKLOG_SIZE,
        };
        ConsensusDisk disk;
        int r;

        memcpy(core.group, options->group, sizeof(core.group));
        r = entry_log_load(group->log, &disk);
        if (r < 0)
                return r;
        disk.applied = &options->applied;
        r = consensus_new(&core, now_usec(), &disk, &group->core, &group->first);
        if (r < 0)
                return r;

        group->told = options->applied.index;
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
        r = open_mail(group);
        if (r < 0)
                return r;
        r = open_log(group);
        if (r < 0)
                return r;
        r = open_core(group);
        if (r < 0)
                return r;

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
        group->has_thread = false;
}

Group *group_free(Group *group) {
        if (!group)
                return NULL;

        group_stop(group);
        (void) mail_free(group->mail);
        (void) consensus_free(group->core);
        (void) entry_log_free(group->log);
        recent_done(&group->recent);
        inbox_done(&group->inbox);
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

int group_admit(const Group *group, const Handshake *offer, Handshake *answer) {
        return mail_admit(group->mail, offer, answer);
}

/* Who sends is not kept waiting for what becomes of the message. */
int group_receive(Group *group, RpcRequest *request) {
        _cleanup_(buffer_done) Buffer data = {};
        const Buffer *body = rpc_request_body(request);
        Letter letter = { .type = LETTER_MESSAGE };
        int r;

        r = mail_check(group->mail, rpc_request_parties(request), &letter.member);
        if (r < 0)
                return r;
        buffer_put(&data, body->data, body->size);
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
