/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "http/record.h"
#include "master/cluster/run.h"
#include "master/request/redirect.h"
#include "store/index/identity.h"

static const char read_text[] =
                "The value is at the address in the Location header. With curl, use -L to follow it.\n";
static const char write_text[] =
                "Send the value to the address in the Location header. With curl, use -L to follow it.\n";

uint64_t redirect_store(const Index *index, Volumes *volumes, uint32_t volume) {
        StoreIdentity store;

        if (volumes_store(volumes, volume, &store) < 0)
                return 0;
        return ticket_store(index_identity(index)->cluster, &store);
}

int redirect_url(
                Secret *secret,
                const char *volume_url,
                const char *key,
                const Ticket *ticket,
                char *ret,
                size_t size) {
        Signer *signer = secret_signer(secret);
        size_t n = strlen(volume_url);
        int r;

        if (!signer)
                return -ENOMEM;
        if (size < n + KEY_PATH_SIZE + 2)
                return -ENOBUFS;

        memcpy(ret, volume_url, n + 1);
        n += key_to_path(key, ret + n);
        ret[n++] = '?';
        r = ticket_format(ticket, key, signer, ret + n, size - n);
        return r < 0 ? r : 0;
}

int redirect_reply(HttpRequest *request, const char *url) {
        const char *text = strcmp(http_request_method(request), "GET") == 0 ? read_text
                                                                            : write_text;

        return http_request_reply_redirect(request, url, text);
}
