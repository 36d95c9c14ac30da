/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Volume calls: what volumes ask of the master: reports of their state, commits of what they have
 * stored, and the outcome of writes in doubt. */

#include "http/request.h"

/* Check the caller before its body is read. */
int peer_begin(HttpRequest *request);
int peer_refuse_report(HttpRequest *request, int error);

int volume_call_report_finish(HttpRequest *request);
int volume_call_commit_finish(HttpRequest *request);
int volume_call_settle_finish(HttpRequest *request);
