/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1 /* what was not added has no hh.tbl */
#include <uthash.h>

#include "http/serve/guest-address.h"

GuestAddress *guest_address_ref(GuestAddress **table, const struct sockaddr *address) {
        uint8_t bytes[HTTP_NETWORK_SIZE];
        GuestAddress *found;

        http_network_of(address, bytes);
        HASH_FIND(hh, *table, bytes, HTTP_NETWORK_SIZE, found);
        if (!found) {
                found = calloc(1, sizeof(*found));
                if (!found)
                        return NULL;
                memcpy(found->bytes, bytes, HTTP_NETWORK_SIZE);
                HASH_ADD(hh, *table, bytes, HTTP_NETWORK_SIZE, found);
                if (!found->hh.tbl) {
                        free(found);
                        return NULL;
                }
        }

        found->n_references++;
        return found;
}

void guest_address_unref(GuestAddress **table, GuestAddress *address) {
        if (--address->n_references > 0)
                return;

        HASH_DEL(*table, address);
        free(address);
}
