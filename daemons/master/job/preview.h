/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Preview: what a change would move, without moving anything. It is counted in a pass over the
 * index, on a thread of its own. On D-Bus this is the method Plan(). */

#include "master/cluster/volumes.h"
#include "master/queue/status.h"

typedef enum PreviewWhat {
        PREVIEW_REBALANCE,
        PREVIEW_ADD,    /* of volumes, with the rebalance after it */
        PREVIEW_DELETE, /* of volumes */
        PREVIEW_COPIES, /* set to another number, with the rebalance after it */
        _PREVIEW_WHAT_MAX,
} PreviewWhat;

const char *preview_what_to_string(PreviewWhat what) _const_;
int preview_what_from_string(const char *string); /* or -EINVAL */

typedef struct PreviewRequest {
        PreviewWhat what;
        const uint32_t *numbers; /* to add or to delete */
        size_t n_numbers;        /* at most JOB_VOLUMES_MAX */
        uint32_t copies;         /* for PREVIEW_COPIES */
} PreviewRequest;

typedef struct PreviewMove {
        uint32_t source, target; /* target 0: surplus copies, deleted on the source */
        uint64_t keys, bytes;
} PreviewMove;

typedef struct PreviewVolume {
        uint32_t number;
        uint64_t bytes_before, bytes_after; /* of the values that are current */
        uint64_t disk_free;                 /* now; UINT64_MAX if the volume has not reported */
} PreviewVolume;

typedef struct Preview {
        PreviewMove *moves; /* ordered by source, then target; each copy is counted */
        size_t n_moves;
        PreviewVolume *volumes; /* ordered by number */
        size_t n_volumes;
        uint64_t keys, bytes; /* keys that something happens to, and the bytes that are copied */
        uint64_t all_keys;
        uint64_t lost_keys; /* whose only copy is on volumes that are down and to be deleted */
        uint64_t waits_until_usec; /* when old copies are deleted that are in the way; 0 for none */
} Preview;

/* PLAN is borrowed; NULL if RESULT is an error. Thread: the previewer's; it must not block. */
typedef void (*PreviewDone)(int result, const Preview *plan, void *userdata);

typedef struct Previewer Previewer;

/* INDEX and VOLUMES are not owned. */
int previewer_new(Index *index, Volumes *volumes, Previewer **ret);

/* Breaks off the plan that is being made, if there is one, and waits for the thread. From one
 * thread at a time; more than once. */
void previewer_stop(Previewer *previewer);

/* After previewer_stop(). */
Previewer *previewer_free(Previewer *previewer);
DEFINE_CLEANUP(Previewer *, previewer_free);

/* Returns 0 if done() will be called. Else -EAGAIN while another plan is being made, -EINVAL, or
 * what volumes_add(), volumes_drain() or volumes_set_copies() would say; then *RETERR_NUMBER is the
 * volume that it is about, 0 for all. From one thread at a time. */
int previewer_begin(
                Previewer *previewer,
                const PreviewRequest *request,
                PreviewDone done,
                void *userdata,
                uint32_t *reterr_number);
