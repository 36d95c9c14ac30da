/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/periodic.h"
#include "master/group/status.h"
#include "master/seat/seat.h"
#include "store/entries/entry-log.h"
#include "store/index/identity.h"

#define LOG_DIRECTORY "entries"

#define ELECTION_USEC  (500 * USEC_PER_MSEC)
#define HEARTBEAT_USEC (100 * USEC_PER_MSEC)
#define SEGMENT_SIZE   ((uint32_t) (16 * MIB))
#define KEPT_SIZE      (64 * MIB)

#define COMPACT_USEC USEC_PER_SEC

typedef enum SeatState {
        SEAT_FOLLOWS,
        SEAT_BEGINS, /* it was elected, and the index gets ready */
        SEAT_LEADS,
        SEAT_ENDS,
} SeatState;

struct Seat {
        SeatOptions options;
        SeatFile file;
        IndexGroup index_group;
        Index *index; /* not owned, as the lead */
        Lead *lead;
        ConsensusApplied applied; /* at the start */
        char url[MEMBER_URL_MAX + 1];
        int dir_fd; /* of the log */
        Group *group;
        Periodic *timer;
        int wake_fd;
        sd_event_source *wake;

        pthread_mutex_t lock;
        SeatState state; /* with the lock */
};

/* -- From the index to the group, and back -- */

static int propose(Buffer *entry, void *proposal, void *userdata) {
        Seat *seat = userdata;

        return group_propose(seat->group, entry, proposal);
}

static void give_up(Seat *seat, int error, const char *what) {
        char reason[ERROR_REASON_SIZE];

        error_format_reason(error, reason);
        lead_lose(seat->lead, "%s: %s", what, reason);
}

static int on_decided(uint64_t index, const Entry *entry, void *proposal, void *userdata) {
        Seat *seat = userdata;

        return index_decided(seat->index, index, entry, proposal);
}

static void on_ready(void *userdata) {
        Seat *seat = userdata;

        group_ready(seat->group);
}

static void on_refused(void *proposal, int error, void *userdata) {
        Seat *seat = userdata;

        index_refused(seat->index, proposal, error);
}

static void on_index_broken(int error, void *userdata) {
        give_up(userdata, error, "The index cannot be kept like that of the other masters");
}

static void on_group_broken(int error, void *userdata) {
        give_up(userdata, error, "This master cannot be one of its group any more");
}

static void on_fetch(uint64_t index, void *userdata) {
        log_error("This master has been away for too long: the others no longer keep entry %" PRIu64
                  ", which it needs.",
                  index);
}

/* -- Elections -- */

/* Where the member is; "" for 0, for this master, and for who is unknown. */
static void find_url(Seat *seat, uint64_t member, char ret[static MEMBER_URL_MAX + 1]) {
        GroupStatus status;
        const Member *found;

        *ret = '\0';
        if (member == 0 || member == seat->file.self)
                return;

        group_status(seat->group, &status);
        found = members_find(&status.members, member)
                                ?: members_find(&seat->applied.members, member);
        if (found)
                memcpy(ret, found->url, sizeof(found->url));
}

/* Returns the state before. */
static SeatState move(Seat *seat, SeatState from, SeatState to) {
        SeatState state;

        (void) pthread_mutex_lock(&seat->lock);
        state = seat->state;
        if (state == from)
                seat->state = to;
        (void) pthread_mutex_unlock(&seat->lock);
        return state;
}

/* On the committer's thread. */
static void on_begun(IndexResult result, void *userdata) {
        Seat *seat = userdata;

        if (result.outcome != INDEX_DONE)
                give_up(seat, result.error, "Failed to begin to lead");
        else if (move(seat, SEAT_BEGINS, SEAT_LEADS) == SEAT_BEGINS)
                (void) eventfd_write(seat->wake_fd, 1);
}

static void begin(Seat *seat, uint64_t term) {
        int r;

        if (move(seat, SEAT_FOLLOWS, SEAT_BEGINS) != SEAT_FOLLOWS)
                return;
        r = index_begin_to_lead(seat->index, term, on_begun, seat);
        if (r < 0)
                give_up(seat, r, "Failed to begin to lead");
}

static void end(Seat *seat, const GroupView *view) {
        SeatState state;

        (void) pthread_mutex_lock(&seat->lock);
        state = seat->state;
        if (state != SEAT_FOLLOWS)
                seat->state = SEAT_ENDS;
        (void) pthread_mutex_unlock(&seat->lock);
        if (state == SEAT_FOLLOWS || state == SEAT_ENDS)
                return;

        index_end_lead(seat->index);
        lead_lose(seat->lead,
                  "This master leads no longer (term %" PRIu64 "); it starts again and follows.",
                  view->term);
}

static void on_view(const GroupView *view, void *userdata) {
        Seat *seat = userdata;
        char url[MEMBER_URL_MAX + 1];

        find_url(seat, view->leader, url);
        lead_follow(seat->lead, url);
        if (view->role != CONSENSUS_LEADER)
                end(seat, view);
        else if (view->start > 0)
                begin(seat, view->term);
}

/* On the event loop. */
static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Seat *seat = userdata;
        eventfd_t count;
        int r;

        (void) eventfd_read(fd, &count);
        r = seat->options.on_elected(seat->options.userdata);
        if (r < 0)
                give_up(seat, r, "Failed to begin to lead");
        return 0;
}

/* The log need not keep what is on the disk in the index. */
static void on_tick(void *userdata) {
        Seat *seat = userdata;
        ConsensusApplied applied;
        uint64_t on_disk;

        index_applied(seat->index, &applied, &on_disk);
        group_compact(seat->group, on_disk);
}

/* -- The whole -- */

int seat_new(const SeatOptions *options, const SeatFile *file, Seat **ret) {
        _cleanup_(seat_freep) Seat *seat = malloc(sizeof(*seat));
        int r;

        if (!seat)
                return -ENOMEM;

        *seat = (Seat){
                .options = *options,
                .file = *file,
                .index_group = {
                        .propose = propose,
                        .on_ready = on_ready,
                        .on_broken = on_index_broken,
                        .userdata = seat,
                },
                .dir_fd = -1,
                .lock = PTHREAD_MUTEX_INITIALIZER,
        };
        seat->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (seat->wake_fd < 0)
                return -errno;
        r = sd_event_add_io(options->event, &seat->wake, seat->wake_fd, EPOLLIN, on_wake, seat);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(seat);
        return 0;
}

const IndexGroup *seat_index_group(const Seat *seat) {
        return &seat->index_group;
}

Group *seat_group(const Seat *seat) {
        return seat->group;
}

const char *seat_url(const Seat *seat) {
        return seat->url;
}

static int get_random(uint64_t *ret) {
        do
                if (getrandom(ret, sizeof(*ret), 0) < 0)
                        return -errno;
        while (*ret == 0);
        return 0;
}

/* Opens the directory of the log. At the first start the log is made, and from then on it has to be
 * there: one that was lost had votes in it, and entries that others count on. */
static int open_log(Seat *seat) {
        _cleanup_(entry_log_freep) EntryLog *log = NULL;
        _cleanup_free_ char *path = NULL;
        EntryLogOptions options = { .segment_size = SEGMENT_SIZE };
        int r;

        if (asprintf(&path, "%s/" LOG_DIRECTORY, seat->options.directory) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = seat->file.has_log ? 0 : make_directory(path, 0750);
        if (r < 0)
                return r;
        seat->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (seat->dir_fd < 0)
                return -errno;
        if (seat->file.has_log)
                return 0;

        r = get_random(&options.new_id);
        if (r < 0)
                return r;
        options.dir_fd = seat->dir_fd;
        r = entry_log_open(&options, &log);
        if (r < 0)
                return r;
        seat->file.has_log = true;
        return seat_file_write(seat->options.directory, &seat->file);
}

static int start_group(Seat *seat) {
        GroupOptions options = {
                .self = seat->file.self,
                .election_usec = ELECTION_USEC,
                .heartbeat_usec = HEARTBEAT_USEC,
                .peers = seat->options.peers,
                .dir_fd = seat->dir_fd,
                .segment_size = SEGMENT_SIZE,
                .kept_size = KEPT_SIZE,
                .applied = seat->applied,
                .on_decided = on_decided,
                .on_refused = on_refused,
                .on_view = on_view,
                .on_fetch = on_fetch,
                .on_broken = on_group_broken,
                .userdata = seat,
        };
        int r;

        memcpy(options.group, seat->file.group, sizeof(options.group));
        memcpy(options.cluster, index_identity(seat->index)->cluster, sizeof(options.cluster));
        r = get_random(&options.seed);
        if (r >= 0)
                r = get_random(&options.run);
        return r < 0 ? r : group_new(&options, &seat->group);
}

int seat_start(Seat *seat, Index *index, Lead *lead) {
        const Member *self;
        uint64_t on_disk;
        int r;

        seat->index = index;
        seat->lead = lead;
        index_applied(index, &seat->applied, &on_disk);
        self = members_find(&seat->applied.members, seat->file.self);
        if (self)
                memcpy(seat->url, self->url, sizeof(seat->url));

        r = open_log(seat);
        if (r >= 0)
                r = start_group(seat);
        if (r >= 0)
                r = periodic_new(
                                seat->options.event, COMPACT_USEC, COMPACT_USEC, on_tick, seat,
                                &seat->timer);
        if (r < 0)
                return log_error_errno(
                                r,
                                "Failed to take part in the group of masters with '%s/entries': %m",
                                seat->options.directory);
        return 0;
}

void seat_stop(Seat *seat) {
        if (seat)
                group_stop(seat->group);
}

Seat *seat_free(Seat *seat) {
        if (!seat)
                return NULL;

        (void) periodic_free(seat->timer);
        (void) group_free(seat->group);
        (void) sd_event_source_unref(seat->wake);
        if (seat->wake_fd >= 0)
                (void) close(seat->wake_fd);
        if (seat->dir_fd >= 0)
                (void) close(seat->dir_fd);
        (void) pthread_mutex_destroy(&seat->lock);
        free(seat);
        return NULL;
}
