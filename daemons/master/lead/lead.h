/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lead: whether this master may give orders to volumes and answer clients.
 *
 * It does unless it has reason not to: a volume of its cluster has seen what its index does not
 * know, so that the index is older than it should be; it knows nothing of what volumes hold, so
 * that the index is not the one that belongs here; or another master leads. Then clients are
 * answered 503 with the reason, nothing is ordered, collected, settled, moved or changed, and the
 * daemon stays up so that it can be asked why; only in the last case it ends.
 *
 * A master of a group follows at first, until it is elected: clients are sent to the one that
 * leads, and volumes are told where that is. It leads once. When it has lost the lead, it ends, and
 * starts again as one that follows: so whoever works for a leader need not know how to stop.
 *
 * An index that was found to be older stays so, also after a restart, until the administrator
 * accepts that, or puts the newer one in its place. */

#include <systemd/sd-event.h>

#include "core/call/volume-report.h"
#include "http/request.h"
#include "master/lead/judge.h"
#include "master/trouble/trouble.h"
#include "rpc/rpc-request.h"
#include "store/index/index.h"

typedef enum LeadState {
        LEAD_LEADS,
        LEAD_BEHIND,  /* the index is older than the volumes */
        LEAD_FOREIGN, /* volumes hold values of another index */
        LEAD_DEPOSED, /* another master leads; the process is about to end */
        LEAD_FOLLOWS, /* it is one of a group, and was not elected yet */
        LEAD_LOST,    /* it was, and leads no longer; the process is about to end */
} LeadState;

/* The exit status after which systemd does not start the master again, and the one after which it
 * does. */
#define LEAD_EXIT_DEPOSED 10
#define LEAD_EXIT_LOST    11

/* Of the URL of a master, with the 0. */
#define LEAD_URL_SIZE 256

typedef struct Lead Lead;

typedef struct LeadOptions {
        Index *index;          /* not owned */
        Troubles *troubles;    /* not owned */
        const char *directory; /* of the index; not owned */
        bool accept_rollback;  /* whatever is found out is accepted in advance */
        bool follows;          /* it is one of a group: it follows until lead_begin() */
} LeadOptions;

int lead_new(const LeadOptions *options, sd_event *event, Lead **ret);

/* After the index was freed, whose changes it waits for. */
Lead *lead_free(Lead *lead);
DEFINE_CLEANUP(Lead *, lead_free);

/* One atomic load. Without LEAD, as in tests, the answer is yes. What was written before
 * lead_begin() is seen by who has got the answer yes. */
bool lead_is_leading(const Lead *lead);

/* Whether it is one of a group. */
bool lead_is_shared(const Lead *lead);

/* Whether it is one of a group and follows, or has lost the lead: there is nothing of what takes
 * care of volumes, or it is about to end. One atomic load; without LEAD the answer is no. */
bool lead_is_following(const Lead *lead);

/* The master at URL leads the group; nobody that is known of, if that is "". Thread: any. */
void lead_follow(Lead *lead, const char *url);

/* The one that is followed, or "". */
void lead_leader(Lead *lead, char ret[static LEAD_URL_SIZE]);

/* This master was elected, and the index is ready: it leads, unless the index is known to be older.
 * Returns 0, -EALREADY if it does not follow, or a negative errno. Thread: that of the event loop.
 */
int lead_begin(Lead *lead);

/* It leads its group no longer, or cannot be one of it. Logs the sentence, and ends the process as
 * a signal would, with LEAD_EXIT_LOST. Thread: any. */
void lead_lose(Lead *lead, const char *format, ...) _printf_(2, 3);

LeadState lead_state(Lead *lead);

/* Of a process that ends without an error. Without LEAD, 0. */
int lead_exit_status(Lead *lead);

#define LEAD_REASON_SIZE (TROUBLE_DETAIL_SIZE + 128)

/* Why it does not lead, a sentence or two; "" if it does. */
void lead_reason(Lead *lead, char ret[static LEAD_REASON_SIZE]);

/* For the handlers of clients' requests: whether REQUEST was answered because the master does not
 * lead. If it follows, the client is sent to who leads. */
bool lead_refuses(Lead *lead, HttpRequest *request);

/* The same, but only if it follows: of what a master tells although it does not lead. */
bool lead_redirects(Lead *lead, HttpRequest *request);

/* For the handlers of volumes' calls: returns 0, or -EOWNERDEAD, with the reason, if the master
 * does not lead. If it follows: -EDESTADDRREQ with the URL of who leads as the sentence, or
 * -ENOLINK. */
int lead_check_call(Lead *lead, RpcRequest *request);

/* Another master leads. Logs an event with the sentence, and ends the process as a signal would,
 * with LEAD_EXIT_DEPOSED. From any thread. */
void lead_depose(Lead *lead, const char *format, ...) _printf_(2, 3);

/* Judges by a report who is older; comes before anything else is made of the report. MEMBER is what
 * the map says of its store, N_USED how many volumes there are that may hold values. Returns 0 to
 * go on, -EINVAL for impossible numbers, -EOWNERDEAD if this master does not lead, -EEXIST if the
 * volume belongs to another index and is not taken. */
int lead_hear(Lead *lead, const VolumeReport *report, LeadMember member, size_t n_used);

/* For volumes that the map does not know: what speaks against adding NUMBER, as a sentence, or "".
 * LEAD may be NULL. */
void lead_explain_stranger(Lead *lead, uint32_t number, char ret[static LEAD_REASON_SIZE]);

/* Accepts that the index is older, and leads from then on. DONE, with the new term, is called on
 * the committer's thread. Returns 0, or -EALREADY if the index is not known to be older. */
typedef void (*LeadDone)(int result, uint64_t term, void *userdata);
int lead_accept_rollback(Lead *lead, LeadDone done, void *userdata);
