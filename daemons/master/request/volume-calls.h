/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Peer: what volumes ask of the master: to take note of them, to commit what they have stored, to
 * tell what has become of what they have not heard of again. */

#include "http/request.h"

/* Check the caller before its body is read. */
int peer_begin(HttpRequest *request);
int peer_refuse_report(HttpRequest *request, int error);

int peer_report_finish(HttpRequest *request);
int peer_commit_finish(HttpRequest *request);
int peer_settle_finish(HttpRequest *request);
