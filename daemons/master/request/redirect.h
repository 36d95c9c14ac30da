/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Redirect: the address at a volume where a client, or the master in its place, finds or leaves a
 * value, and the reply that sends the client there.
 *
 * Thread: any. */

#include "core/call/ticket.h"
#include "core/key.h"
#include "http/request.h"
#include "master/cluster/volumes.h"
#include "rpc/secret.h"

/* What tickets for the store of VOLUME say; 0 if the map does not know the volume. */
uint64_t redirect_store(const Index *index, Volumes *volumes, uint32_t volume);

/* The longest address: that of a volume, a key and a ticket. */
#define REDIRECT_URL_SIZE (VOLUME_URL_SIZE + KEY_PATH_SIZE + TICKET_QUERY_SIZE)

/* Writes the address of KEY at the volume that is at VOLUME_URL to RET, with TICKET, signed. SIZE
 * is that of RET. Returns 0, -ENOBUFS if the address does not fit, or -ENOMEM. */
int redirect_url(
                Secret *secret,
                const char *volume_url,
                const char *key,
                const Ticket *ticket,
                char *ret,
                size_t size);

/* Replies 307 to URL. The text, for people who did not ask curl to follow, tells a client that
 * reads from one that sends a value. Returns as http_request_reply_data(). */
int redirect_reply(HttpRequest *request, const char *url);
