/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a group is asked for: entries, reads, changes of its members, and of who leads it. */

#include <errno.h>
#include <string.h>

#include "master/group/group-internal.h"

#define PROPOSED_MAX ((size_t) 64) /* in one call of the core */

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

static const Waiting *first_waiting(const Group *group) {
        return group->n_waiting > 0 ? group->waiting + group->first_waiting : NULL;
}

static void drop_first(Group *group) {
        group->first_waiting++;
        group->n_waiting--;
}

/* What was proposed with the entry that is decided at an index. If that is another one, this master
 * does not lead any more, and what it had proposed there is given up with the rest. */
void *group_find_proposal(const Group *group, uint64_t index, uint64_t term) {
        const Waiting *first = first_waiting(group);

        return first && first->index == index && first->term == term ? first->proposal : NULL;
}

static void give_up_proposal(Group *group, const Waiting *waiting) {
        group->options.on_refused(waiting->proposal, -EINPROGRESS, group->options.userdata);
}

/* All but the first N. */
static void give_up_proposals(Group *group, size_t n) {
        for (size_t i = n; i < group->n_waiting; i++)
                give_up_proposal(group, first_waiting(group) + i);
        group->n_waiting = n;
}

/* Whether what was appended here is what is decided there, and so will be told. */
static bool is_decided(Group *group, uint64_t index, uint64_t term) {
        Entry entry;

        return index <= group->commit && group_find_entry(group, index, &entry) >= 0 &&
               entry.term == term;
}

/* Those are the first ones: what is decided has all before it decided. */
static size_t count_decided(Group *group) {
        size_t n = 0;

        while (n < group->n_waiting &&
               is_decided(group, first_waiting(group)[n].index, first_waiting(group)[n].term))
                n++;
        return n;
}

/* Takes the proposals that come first, at most PROPOSED_MAX. Returns the last of them. */
const Letter *group_take_proposals(Group *group, const Letter *first) {
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
        r = log_writer_backlog(group->writer) > GROUP_BACKLOG_SIZE ? -EAGAIN : 0;
        if (r >= 0)
                r = consensus_propose(group->core, group_now(), entries, n, &update);
        for (size_t i = 0; i < n; i++, first = first->next) {
                if (r >= 0 &&
                    note_waiting(group, update.write.first + i, update.term, first->proposal) >= 0)
                        continue;
                group->options.on_refused(
                                first->proposal, r < 0 ? r : -EINPROGRESS, group->options.userdata);
        }
        group_carry_out(group, r, &update);
        return last;
}

/* -- Probes -- */

/* Those of another term are not asked about any more. */
static GroupProbe *sort_out(Group *group, GroupProbe *probes) {
        bool leads = group->view.role == CONSENSUS_LEADER;
        GroupProbe *good = NULL;

        while (probes) {
                GroupProbe *probe = probes;

                probes = probe->next;
                if (!leads || probe->term != group->view.term) {
                        probe->done(probe, -EOWNERDEAD);
                        continue;
                }
                probe->next = good;
                good = probe;
        }
        return good;
}

static void answer(GroupProbe *probes, int error) {
        while (probes) {
                GroupProbe *probe = probes;

                probes = probe->next;
                probe->done(probe, error);
        }
}

static void take_probes(Group *group, GroupProbe *probes) {
        ConsensusUpdate update;
        uint64_t number;
        int r;

        probes = sort_out(group, probes);
        if (!probes)
                return;
        r = consensus_probe(group->core, group_now(), &number, &update);
        if (r < 0) {
                answer(probes, r);
                return;
        }

        while (probes) {
                GroupProbe *probe = probes;

                probes = probe->next;
                probe->number = number;
                probe->next = group->probes;
                group->probes = probe;
        }
        group_carry_out(group, r, &update);
}

void group_on_confirmed(Group *group, uint64_t number) {
        GroupProbe **link = &group->probes, *confirmed = NULL;

        if (number == group->confirmed)
                return;
        group->confirmed = number;
        while (*link) {
                GroupProbe *probe = *link;

                if (probe->number > number) {
                        link = &probe->next;
                        continue;
                }
                *link = probe->next;
                probe->next = confirmed;
                confirmed = probe;
        }
        answer(confirmed, 0);
}

/* -- Changes -- */

static void take_change(Group *group, GroupChange *change) {
        ConsensusUpdate update;
        int r;

        r = group->change ? -EBUSY : 0;
        if (r >= 0)
                r = consensus_change(
                                group->core, group_now(), &change->change, &change->index, &update);
        if (r < 0) {
                change->done(change, r);
                return;
        }
        change->term = update.term;
        group->change = change;
        group_carry_out(group, r, &update);
}

static void settle_change(Group *group, int error) {
        GroupChange *change = TAKE_PTR(group->change);

        if (change)
                change->done(change, error);
}

/* If another entry is decided in its place, the change is given up with the lead. */
void group_on_told(Group *group, uint64_t index, uint64_t term) {
        const GroupChange *change = group->change;

        if (group_find_proposal(group, index, term))
                drop_first(group);
        if (change && change->index == index && change->term == term)
                settle_change(group, 0);
}

/* -- Hand-over -- */

static void take_transfer(Group *group, GroupTransfer *transfer) {
        const GroupOptions *options = &group->options;
        uint64_t now = group_now();
        ConsensusUpdate update;
        int r;

        r = group->transfer ? -EBUSY : 0;
        if (r >= 0)
                r = consensus_transfer(group->core, now, transfer->to, &update);
        if (r < 0) {
                transfer->done(transfer, r);
                return;
        }

        /* By then the core has noticed, too. */
        transfer->end_usec = now + options->election_usec + options->heartbeat_usec;
        transfer->term = group->view.term;
        group->transfer = transfer;
        group_carry_out(group, r, &update);
}

/* What has come of a hand-over; 1 if that is not known yet. */
static int outcome(const Group *group, const GroupTransfer *transfer) {
        uint64_t now = group_now();

        if (group->view.role == CONSENSUS_LEADER)
                return group->view.term == transfer->term && now < transfer->end_usec ? 1
                                                                                      : -ETIMEDOUT;
        if (group->view.leader > 0)
                return group->view.leader == transfer->to ? 0 : -EOWNERDEAD;
        return now < transfer->end_usec + 2 * group->options.election_usec ? 1 : -EINPROGRESS;
}

void group_settle_transfer(Group *group) {
        GroupTransfer *transfer = group->transfer;
        int r = transfer ? outcome(group, transfer) : 1;

        if (r > 0)
                return;
        group->transfer = NULL;
        transfer->done(transfer, r);
}

/* -- What the database says -- */

static void compact(Group *group, uint64_t index) {
        uint64_t base;

        index = entry_log_before(group->log, MIN(index, group->told), group->options.kept_size);
        base = consensus_compact(group->core, index);
        if (log_writer_compact(group->writer, base) < 0)
                group_note_broken(group, -ENOMEM);
}

/* What is up to INDEX, and was not told, never is. */
static void skip_to(Group *group, uint64_t index) {
        const Waiting *first;

        group->told = index;
        while ((first = first_waiting(group)) && first->index <= index) {
                give_up_proposal(group, first);
                drop_first(group);
        }
        if (group->change && group->change->index <= index)
                settle_change(group, -EINPROGRESS);
}

/* If it is not ahead of what is decided here, that was told, or will be. */
static void take_database(Group *group, const ConsensusApplied *applied) {
        ConsensusUpdate update;
        int r;

        group->fetch = 0;
        group->tell_usec = 0;
        r = consensus_installed(group->core, group_now(), applied, &update);
        if (r >= 0)
                skip_to(group, applied->index);
        group_carry_out(group, r, &update);
}

/* -- All of it -- */

void group_take_errands(Group *group) {
        ConsensusApplied database;
        ErrandLists lists;

        errands_take(&group->errands, &lists, &database);
        if (lists.database)
                take_database(group, lists.database);
        if (lists.is_ready)
                group->tell_usec = 0;
        if (lists.compact > 0)
                compact(group, lists.compact);
        while (lists.changes) {
                GroupChange *change = lists.changes;

                lists.changes = change->next;
                take_change(group, change);
        }
        while (lists.transfers) {
                GroupTransfer *transfer = lists.transfers;

                lists.transfers = transfer->next;
                take_transfer(group, transfer);
        }
        take_probes(group, lists.probes);
}

/* What is decided and was not told yet waits on. */
void group_lose_lead(Group *group) {
        const GroupChange *change = group->change;

        group->confirmed = 0;
        give_up_proposals(group, count_decided(group));
        answer(TAKE_PTR(group->probes), -EOWNERDEAD);
        if (change && !is_decided(group, change->index, change->term))
                settle_change(group, -EINPROGRESS);
}

void group_end_orders(Group *group) {
        GroupTransfer *transfer = TAKE_PTR(group->transfer);
        ConsensusApplied database;
        ErrandLists lists;

        give_up_proposals(group, 0);
        answer(TAKE_PTR(group->probes), -ESHUTDOWN);
        settle_change(group, -EINPROGRESS);
        if (transfer)
                transfer->done(transfer, -EINPROGRESS);
        errands_close(&group->errands);
        errands_take(&group->errands, &lists, &database);
        answer(lists.probes, -ESHUTDOWN);
        while (lists.changes) {
                GroupChange *change = lists.changes;

                lists.changes = change->next;
                change->done(change, -ESHUTDOWN);
        }
        while (lists.transfers) {
                transfer = lists.transfers;
                lists.transfers = transfer->next;
                transfer->done(transfer, -ESHUTDOWN);
        }
}
