/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the updates of the core have a group do, in the order of its contract. */

#include <errno.h>

#include "consensus/message-codec.h"
#include "master/group/group-internal.h"

/* -- The lease -- */

/* Before anything of the update leaves. Who reads takes the end first and the term then, so an end
 * is never taken for one of another term. */
static void publish_lease(Group *group, uint64_t term) {
        uint64_t end = consensus_lease_end(group->core);

        if (term != atomic_load(&group->lease_term)) {
                atomic_store(&group->lease_end, 0);
                atomic_store(&group->lease_term, term);
        }
        if (end != atomic_load(&group->lease_end))
                atomic_store(&group->lease_end, end);
}

/* -- The disk -- */

static void give_vote(Group *group, uint64_t term, uint64_t vote) {
        if (log_writer_vote(group->writer, term, vote) < 0)
                group_note_broken(group, -ENOMEM);
        group->votes++;
}

static void stage(Group *group, const ConsensusWrite *write) {
        if (write->reset)
                recent_reset(&group->recent, write->first - 1);
        else if (write->first <= recent_last(&group->recent))
                recent_cut(&group->recent, write->first - 1);
        for (size_t i = 0; write->first + i <= write->last; i++)
                if (recent_append(&group->recent, write->entries + i) < 0)
                        group_note_broken(group, -ENOMEM);
        if (log_writer_write(group->writer, write) < 0)
                group_note_broken(group, -ENOMEM);
}

/* -- Messages -- */

int group_find_entry(Group *group, uint64_t index, Entry *ret) {
        const Entry *entry = recent_find(&group->recent, index);

        if (!entry)
                return entry_log_read(group->log, index, &group->scratch, ret);
        *ret = *entry;
        return 0;
}

static int encode(Group *group, const Message *message, Buffer *ret) {
        bool is_decided;
        const Member *self = members_find(
                        consensus_members(group->core, &is_decided), group->options.self);

        mail_begin(self ? self->url : "", ret);
        message_encode_head(message, ret);
        for (size_t i = 0; i < message->n; i++) {
                Entry entry;
                int r;

                r = group_find_entry(group, message->index + 1 + i, &entry);
                if (r < 0)
                        return r;
                message_encode_entry(&entry, ret);
        }
        return buffer_error(ret);
}

/* Behind a vote that is not on the disk yet. */
static void hold(Group *group, uint64_t to, Buffer *bytes) {
        HeldMessage *message = group->held + (group->first_held + group->n_held) % HELD_MAX;

        if (group->n_held == HELD_MAX)
                return; /* it is lost */
        *message = (HeldMessage){ group->votes, to, *bytes };
        *bytes = (Buffer){};
        group->n_held++;
}

/* To who is a member, or at least has said where it is. */
static void send_bytes(Group *group, uint64_t to, Buffer *bytes) {
        Member stranger = { .id = to };
        bool is_decided;
        const Member *member = members_find(consensus_members(group->core, &is_decided), to);

        if (!member && mail_find_url(group->mail, to, stranger.url))
                member = &stranger;
        if (member)
                (void) mail_send(group->mail, member, bytes); /* or it is lost */
}

static void release_held(Group *group, uint64_t votes) {
        while (group->n_held > 0 && group->held[group->first_held].vote <= votes) {
                HeldMessage *message = group->held + group->first_held;

                send_bytes(group, message->to, &message->bytes);
                buffer_done(&message->bytes);
                group->first_held = (group->first_held + 1) % HELD_MAX;
                group->n_held--;
        }
}

static void send_message(Group *group, const Message *message) {
        _cleanup_(buffer_done) Buffer bytes = {};
        int r;

        r = encode(group, message, &bytes);
        if (r == -EBADMSG)
                group_note_broken(group, r);
        if (r < 0)
                return;
        if (group->votes > group->votes_stored)
                hold(group, message->to, &bytes);
        else
                send_bytes(group, message->to, &bytes);
}

/* A set of members is decided: who is not in it, or in one that follows, is not sent anything. */
static void forget_members(Group *group) {
        bool is_decided;

        mail_keep(group->mail, consensus_members(group->core, &is_decided));
}

/* -- What is told -- */

/* What is not in memory is read from the log, so messages have their turn in between. */
#define TELL_SIZE (1 * MIB)

#define TELL_AGAIN_USEC (10 * USEC_PER_MSEC)

static void on_not_told(Group *group, int error) {
        if (error == -EAGAIN)
                group->tell_usec = UINT64_MAX;
        else if (error == -ENOMEM)
                group->tell_usec = group_now() + TELL_AGAIN_USEC;
        else
                group_note_broken(group, error == -ENODATA ? -EBADMSG : error);
}

/* Returns how many bytes it has. */
static uint32_t tell_next(Group *group, GroupView *view) {
        uint64_t index = group->told + 1;
        Entry entry;
        int r;

        r = group_find_entry(group, index, &entry);
        if (r >= 0)
                r = group->options.on_decided(
                                index, &entry, group_find_proposal(group, index, entry.term),
                                group->options.userdata);
        if (r < 0) {
                on_not_told(group, r);
                return 0;
        }

        group->told = index;
        if (entry.type == ENTRY_MEMBERS)
                forget_members(group);
        if (view->role == CONSENSUS_LEADER && entry.term == view->term && view->start == 0)
                view->start = index;
        group_on_told(group, index, entry.term);
        return entry.size;
}

/* As of the VIEW, in which the start is noted. */
static void tell_decided(Group *group, GroupView *view) {
        uint64_t size = 0;

        if (group->tell_usec > 0 && group_now() < group->tell_usec)
                return;
        group->tell_usec = 0;
        while (group->told < group->commit && group->broken == 0 && group->tell_usec == 0)
                if (size > TELL_SIZE)
                        group->tell_usec = group_now();
                else
                        size += tell_next(group, view);
}

static bool is_other_lead(const Group *group, const GroupView *view) {
        return view->term != group->view.term || view->role != group->view.role;
}

static void note_view(Group *group, const GroupView *view) {
        bool is_other = is_other_lead(group, view);

        if (group->broken < 0)
                return;
        if (is_other && group->view.role == CONSENSUS_LEADER)
                group_lose_lead(group);
        if (is_other || view->leader != group->view.leader || view->start != group->view.start) {
                group->view = *view;
                group->options.on_view(view, group->options.userdata);
        }
}

void group_tell_rest(Group *group) {
        GroupView view = group->view;

        tell_decided(group, &view);
        note_view(group, &view);
}

static void note_fetch(Group *group, const ConsensusUpdate *update) {
        if (update->commit >= group->fetch)
                group->fetch = 0;
        if (update->fetch <= group->fetch)
                return;
        group->fetch = update->fetch;
        group->options.on_fetch(update->fetch, group->options.userdata);
}

void group_carry_out(Group *group, int r, const ConsensusUpdate *update) {
        GroupView view;

        if (r == -EUCLEAN)
                group_note_broken(group, r);
        if (r < 0 || group->broken < 0)
                return;

        view = (GroupView){ update->role, update->term, update->leader, 0 };
        if (!is_other_lead(group, &view))
                view.start = group->view.start;
        publish_lease(group, update->term);
        if (update->vote_changed)
                give_vote(group, update->term, update->vote);
        if (update->write.number > 0)
                stage(group, &update->write);
        if (update->write.reset)
                forget_members(group); /* they are those of the database */
        for (size_t i = 0; i < update->n_messages && group->broken == 0; i++)
                send_message(group, update->messages + i);
        group->commit = update->commit;
        tell_decided(group, &view);
        note_view(group, &view);
        if (group->broken < 0)
                return;
        group_on_confirmed(group, update->confirmed);
        note_fetch(group, update);
}

/* -- What the disk says -- */

void group_take_progress(Group *group) {
        LogProgress progress;
        ConsensusUpdate update;
        int r;

        log_writer_progress(group->writer, &progress);
        if (progress.error < 0)
                group_note_broken(group, progress.error);
        if (group->broken < 0)
                return;
        group->votes_stored = progress.votes;
        release_held(group, progress.votes);
        if (progress.written.number == group->written)
                return;
        group->written = progress.written.number;
        r = consensus_written(group->core, group_now(), &progress.written, &update);
        group_carry_out(group, r, &update);
}

/* -- What others see -- */

void group_publish_status(Group *group) {
        GroupStatus *status = &group->status;
        const Members *members;

        (void) pthread_mutex_lock(&group->status_lock);
        members = consensus_members(group->core, &status->is_settled);
        status->view = group->view;
        status->base = consensus_compact(group->core, 0);
        status->last = recent_last(&group->recent);
        status->stored = consensus_match(group->core, group->options.self);
        status->commit = group->commit;
        status->told = group->told;
        status->fetch = group->fetch;
        status->members = *members;
        for (size_t i = 0; i < members->n; i++)
                status->match[i] = consensus_match(group->core, members->member[i].id);
        (void) pthread_mutex_unlock(&group->status_lock);
}
