/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Troubles: what is known to be wrong, of the cluster or of one volume, and since when.
 *
 * The code that finds something wrong notes it, again and again if that is simpler, and clears it
 * when it is over. A table says of each kind how bad it is, in which sentence it is told, and what
 * to do about it; health.h makes from that what an administrator reads. A new kind is a new row. */

#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

typedef enum HealthLevel {
        HEALTH_OK,       /* everything is stored as often as it should be */
        HEALTH_DEGRADED, /* works, but something needs a look */
        HEALTH_DOWN,     /* nothing can be stored */
        _HEALTH_LEVEL_MAX,
} HealthLevel;

const char *health_level_to_string(HealthLevel level) _const_;

/* The worst first, within their level: so they are told. */
typedef enum TroubleKind {
        /* Down: the master does not lead; see lead.h */
        TROUBLE_BEHIND,  /* detail: how far */
        TROUBLE_FOREIGN, /* detail: "Volumes 1 and 2 hold 502 values that this index does not know"
                          */

        /* Down: found by health.h itself */
        TROUBLE_NO_VOLUME,
        TROUBLE_NO_ACTIVE_VOLUME,
        TROUBLE_TOO_FEW_VOLUMES, /* for new values */

        /* Down */
        TROUBLE_INDEX_DISK_FULL, /* detail: the directory */

        /* Degraded, of a volume: found by health.h itself */
        TROUBLE_VOLUME_DOWN,

        /* Degraded, of a volume */
        TROUBLE_UNREACHABLE,      /* the master's calls fail, its reports come; detail: URL */
        TROUBLE_PEER_UNREACHABLE, /* detail: their addresses, "10.0.0.3:3003" */
        TROUBLE_REFUSES,          /* the master's calls; detail: URL */
        TROUBLE_MASTER_CLOCK,     /* of the cluster: "600 s ahead of" or "20 s behind" */
        TROUBLE_CLOCK,            /* detail: "600 s ahead of" or "20 s behind" */
        TROUBLE_DISK_FAILED,      /* detail: what could not be done, "write '/srv/dkv/1/values'" */
        TROUBLE_PAGES_DAMAGED,    /* detail: how many */
        TROUBLE_DISK_READ_ONLY,   /* detail: its directory */
        TROUBLE_DISK_DENIED,      /* likewise */
        TROUBLE_DISK_MISSING,     /* likewise */
        TROUBLE_VALUES_LOST,      /* of the cluster; detail: "2 values, of 'k' among them" */
        TROUBLE_COPIES_DAMAGED,   /* detail: "3 copies on volume 2 are damaged" */
        TROUBLE_OVERLOADED,       /* detail: of what there is too little */
        TROUBLE_WENT_BACK,        /* detail: what is done about it */
        TROUBLE_STRANGER,         /* detail: its address */
        TROUBLE_SECRET,           /* of the cluster: who, "10.0.0.3" */
        TROUBLE_TWO_RUNS,         /* detail: both addresses, that of the one in use first */
        TROUBLE_MISPLACED,        /* detail: the address, and who is there instead */
        TROUBLE_OTHER_CLUSTER,    /* detail: the address of the one that is refused */
        TROUBLE_OTHER_STORE,      /* detail: the address of the one that is refused */
        TROUBLE_OTHER_RELEASE,    /* likewise */
        TROUBLE_REMOVED_REPORTS,  /* likewise */

        TROUBLE_INDEX_DISK_LOW, /* detail: the directory */

        /* Degraded: found by health.h itself */
        TROUBLE_FULL,
        TROUBLE_NEARLY_FULL,
        TROUBLE_TOO_FEW_ACTIVE,
        TROUBLE_NOT_HEARD_OF,

        /* Worth telling */
        TROUBLE_ROLLED_BACK, /* detail: from when to when */

        /* Worth telling, and found by health.h itself */
        TROUBLE_WAITING,
        TROUBLE_MAINTENANCE,
        TROUBLE_DRAINING,
        _TROUBLE_KIND_MAX,
} TroubleKind;

typedef struct TroubleInfo {
        const char *name; /* for programs: "disk-full" */
        HealthLevel level;

        /* Sentences. {volume}, {detail} and {since} (" since 12:03:04", or nothing) are filled in.
         * MANY, with "2, 3 and 4" for {volume}, is about several volumes at once; without it each
         * has a sentence of its own. */
        const char *sentence;
        const char *many;
        const char *advice; /* "" if nothing is to be done */

        uint64_t lasts_usec; /* it is over when nobody has noted it for this long; 0: when it is
                              * cleared */
        bool quiet;          /* the code that notes it logs an event of its own */
} TroubleInfo;

const TroubleInfo *trouble_info(TroubleKind kind) _const_;

#define TROUBLE_DETAIL_SIZE   192
#define TROUBLE_SENTENCE_SIZE 512

typedef struct Trouble {
        TroubleKind kind;
        uint32_t volume;     /* 0 for the cluster */
        uint64_t since_usec; /* since the epoch; 0 if that is not known */
        char detail[TROUBLE_DETAIL_SIZE];
} Trouble;

/* Fills TEMPLATE, of the table, in. VOLUMES stands for {volume}; NULL for the number of the one
 * that the trouble is of. */
void trouble_format(
                const char *template,
                const Trouble *trouble,
                const char *volumes,
                uint64_t now_usec,
                char ret[static TROUBLE_SENTENCE_SIZE]);

typedef struct Troubles Troubles;

/* All that follows is for any thread. */
int troubles_new(Troubles **ret);
Troubles *troubles_free(Troubles *troubles);
DEFINE_CLEANUP(Troubles *, troubles_free);

/* Notes a trouble of VOLUME, or of the cluster if that is 0. There is one of a kind for each; its
 * detail may change, its beginning stays. Logs an event when it begins and when it is over. */
void troubles_note(
                Troubles *troubles,
                TroubleKind kind,
                uint32_t volume,
                const char *detail_format,
                ...) _printf_(4, 5);

/* It is over. Nothing happens if there was none. */
void troubles_clear(Troubles *troubles, TroubleKind kind, uint32_t volume);

/* Every kind of one volume, which is gone; but for what ends by itself when nobody notes it any
 * more, which is about who reports under its number. */
void troubles_clear_volume(Troubles *troubles, uint32_t volume);

bool troubles_has(Troubles *troubles, TroubleKind kind, uint32_t volume);

/* Returns a new array, the worst first, within a kind by volume. */
int troubles_list(Troubles *troubles, Trouble **ret, size_t *ret_n);
