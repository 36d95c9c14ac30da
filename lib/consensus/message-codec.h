/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Message codec: messages as bytes, as they go from member to member. Each type has its own fields,
 * and nothing else. What is decoded is a message, though not one that a member would send: that is
 * for the core to say. */

#include "base/buffer.h"
#include "consensus/message.h"

#define MESSAGE_FORMAT 1

/* What a message takes besides its entries, and what an entry does besides what is in it, at most.
 */
#define MESSAGE_HEAD_MAX       ((size_t) 96)
#define MESSAGE_ENTRY_HEAD_MAX ((size_t) 16)

/* Adds the message without its entries, of which N have to follow. */
void message_encode_head(const Message *message, Buffer *buffer);
void message_encode_entry(const Entry *entry, Buffer *buffer);

/* The message with its entries; buffer_error() says whether there was memory. */
void message_encode(const Message *message, Buffer *buffer);

/* The message's entries are *RET_ENTRIES, which is the caller's; what is in them is in DATA.
 * Returns 0, -ENOMEM, -EPROTONOSUPPORT for another format, or -EBADMSG; for these two *RETERR_WHY
 * is a sentence that goes on "A message was refused: ". */
int message_decode(
                const void *data,
                size_t size,
                Message *ret,
                Entry **ret_entries,
                const char **reterr_why);
