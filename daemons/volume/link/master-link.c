/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "volume/link/master-link.h"
#include "volume/volume.h"

#define PREFIX "http://"

static const char redirect_text[] =
                "Ask the master, at the address in the Location header. With curl, use -L to follow it.\n";

bool to_master_is_wanted(const HttpRequest *request) {
        static const char *const parts[] = { "v", "e", "t" };
        char value[1];

        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (http_request_parameter(request, parts[i], value, sizeof(value)) != -ENOENT)
                        return false;
        return true;
}

static bool is_local(const char *authority) {
        return strncmp(authority, "127.", strlen("127.")) == 0 ||
               strncasecmp(authority, "localhost", strlen("localhost")) == 0 ||
               strncmp(authority, "[::1]", strlen("[::1]")) == 0;
}

/* The length of the name in "name:port" or "[address]:port". */
static size_t name_length(const char *authority) {
        return *authority == '[' ? strcspn(authority, "]") + 1 : strcspn(authority, ":");
}

/* Where the client finds the master. One that this volume finds on its own machine, the client
 * finds on the machine where it has found the volume. */
static char *make_authority(const char *master, const char *host) {
        size_t length = strcspn(master, "/"), name = name_length(master);
        char *authority;
        int r;

        if (host && is_local(master) && !is_local(host) && name <= length)
                r = asprintf(&authority, "%.*s%.*s", (int) name_length(host), host,
                             (int) (length - name), master + name);
        else
                r = asprintf(&authority, "%.*s", (int) length, master);
        return r < 0 ? NULL : authority;
}

int to_master_redirect(HttpRequest *request) {
        const VolumeDaemon *volume = http_request_userdata(request);
        const char *master = volume->conf.master, *query = http_request_query(request);
        _cleanup_free_ char *authority = NULL, *url = NULL;
        int r;

        if (strncasecmp(master, PREFIX, strlen(PREFIX)) == 0)
                master += strlen(PREFIX);
        authority = make_authority(master, http_request_header(request, "Host"));
        if (!authority)
                return -ENOMEM;
        if (asprintf(&url, PREFIX "%s%s%s%s", authority, http_request_path(request),
                     *query ? "?" : "", query) < 0) {
                url = NULL;
                return -ENOMEM;
        }

        r = http_request_add_header(request, "Location", url);
        if (r >= 0)
                r = http_request_add_header(request, "Cache-Control", "no-store");
        if (r < 0)
                return r;
        return http_request_reply_data(
                        request, 307, "text/plain", redirect_text, strlen(redirect_text));
}
