/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Proxy: the master fetches a value from a volume and passes it on to the client while it arrives.
 * A whole value is compared with its checksum on the way: if it turns out to be damaged, the
 * connection is cut before the last byte. */

#include "core/record.h"
#include "http/pipe.h"
#include "http/request.h"
#include "master/cluster/volumes.h"
#include "rpc/client.h"
#include "rpc/secret.h"
#include "store/index/index.h"

typedef struct Proxy Proxy;

/* What proxies work with; nothing of it is owned. */
typedef struct Proxies {
        Index *index;
        Volumes *volumes;
        Secret *secret;
        HttpClient *bulk;
        PipeBudget *budget;
        _Atomic uint64_t ticket_usec; /* how long a ticket is good */
} Proxies;

void proxies_configure(Proxies *proxies, uint64_t ticket_usec);

/* URL is that of KEY's value at VOLUME, with its ticket. Returns HTTP_LATER or a negative errno.
 * RET is set before the value comes. */
int proxy_start(const Proxies *proxies,
                HttpRequest *request,
                const char *key,
                const Record *record,
                uint32_t volume,
                const char *url,
                Proxy **ret);

/* The request is over. Takes NULL; returns NULL. */
Proxy *proxy_end(Proxy *proxy);
