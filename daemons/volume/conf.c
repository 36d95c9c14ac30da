/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "core/placement/cluster.h"
#include "core/url.h"
#include "rpc/own-address.h"
#include "store/object/objects.h"
#include "volume/conf.h"

#define AT(field) offsetof(VolumeConf, field)

/* clang-format off */
const ConfItem volume_conf_items[] = {
        { "Volume", "Number",         CONF_UINT,   AT(number),                   "1",     1, VOLUME_MAX,
          "The volume's number, unique in the cluster and never used again." },
        { "Volume", "Directory",      CONF_STRING, AT(directory),                "",      0, 0,
          "Where values are kept; /var/lib/dkv/volume-N if empty." },
        { "Volume", "Listen",         CONF_STRING, AT(endpoint.listen),          "",      0, 0,
          "Address and port to serve on; 127.0.0.1:3000+N if empty.", .complain = address_complain },
        { "Volume", "Url",            CONF_STRING, AT(url),                      "",      0, 0,
          "URL to which clients are redirected; http:// and the address of Listen= if empty.", .complain = url_complain },
        { "Volume", "Master",         CONF_STRING, AT(master),                   "http://127.0.0.1:3000", 0, 0,
          "URL of the master, or the URLs of all masters of a group, with commas between them.", .complain = url_list_complain },
        { "Volume", "Zone",           CONF_STRING, AT(zone),                     "",      0, 0,
          "Name shared by volumes that may fail together; copies go to different zones if possible.", .live = true },
        { "Volume", "SecretFile",     CONF_STRING, AT(endpoint.secret_file),     "/etc/credstore/dkv.secret", 0, 0,
          "The cluster's secret, where systemd passes no credential dkv.secret." },
        { "Volume", "InlineMax",      CONF_SIZE,   AT(inline_max),               "32K",   0, INLINE_MAX,
          "Values up to this size are kept in the database, larger ones in files." },
        { "Volume", "CacheSize",      CONF_SIZE,   AT(cache_size),               "64M",   MIB, 64 * GIB,
          "Memory for pages of the database." },
        { "Volume", "CheckpointSize", CONF_SIZE,   AT(checkpoint_size),          "64M",   MIB, 16 * GIB,
          "Database log after which a checkpoint is made." },
        { "Volume", "ReserveSize",    CONF_SIZE,   AT(reserve_size),             "256M",  0, TIB,
          "Free space below which nothing more is stored." },
        { "Volume", "ReportSec",      CONF_TIME,   AT(report_usec),              "1s",    USEC_PER_SEC / 10, USEC_PER_MIN,
          "Interval of reports to the master.", .live = true },
        { "Volume", "Threads",        CONF_UINT,   AT(endpoint.threads),         "0",     0, 256,
          "Threads that serve requests; 0 means one for each processor." },
        { "Volume", "ConnectionsMax", CONF_UINT,   AT(endpoint.connections_max), "1024",  8, 1000000,
          "Connections of clients and other daemons at a time." },
        { "Volume", "ConnectionsPerAddressMax", CONF_UINT, AT(endpoint.connections_per_address_max), "0", 0, 1000000,
          "Of these, the number from one address, or IPv6 network of 64 bits; 0 means half of them." },
        { "Volume", "RateMin",        CONF_SIZE,   AT(endpoint.rate_min),        "1K",    0, GIB,
          "Clients that send or read fewer bytes per second, over TimeoutSec=, are cut off; 0 for no limit." },
        { "Volume", "CorsOrigins",    CONF_STRING, AT(endpoint.cors_origins),    "",      0, 0,
          "Origins of web pages that may use the cluster, such as http://example.com; * for all." },
        { "Volume", "HeaderSizeMax",  CONF_SIZE,   AT(endpoint.header_size_max), "16K",   KIB, 64 * KIB,
          "Largest header section of a request." },
        { "Volume", "TimeoutSec",     CONF_TIME,   AT(endpoint.timeout_usec),    "30s",   USEC_PER_SEC, USEC_PER_HOUR,
          "How long a connection may make no progress." },
        { "Volume", "StopSec",        CONF_TIME,   AT(endpoint.stop_usec),       "30s",   0, USEC_PER_HOUR,
          "How long requests in progress may take when the daemon stops." },
        {}
};
/* clang-format on */

/* Fills STRING with PREFIX and N if it is empty. */
static int fill(char **string, const char *prefix, uint64_t n) {
        char *filled;

        if (**string)
                return 0;
        if (asprintf(&filled, "%s%" PRIu64, prefix, n) < 0)
                return -ENOMEM;

        free(*string);
        *string = filled;
        return 0;
}

/* Gives STRING the form that URLs have everywhere. */
static int normalize(char **string) {
        const char *reason;
        char *url;
        int r;

        r = url_normalize(*string, &url, &reason);
        if (r < 0)
                return r;

        free(*string);
        *string = url;
        return 0;
}

static int normalize_list(char **string) {
        const char *reason;
        char *list;
        int r;

        r = url_list_normalize(*string, &list, &reason);
        if (r < 0)
                return r;

        free(*string);
        *string = list;
        return 0;
}

/* Where clients find the volume, unless Url= says it: where it listens. */
static int fill_in_url(VolumeConf *conf) {
        const char *listen = conf->endpoint.listen, *reason;
        Address address;
        int r;

        r = address_parse(listen, &address, &reason);
        if (r < 0)
                return log_error_errno(r, "Listen= must not be '%s', which %s.", listen, reason);
        if (address.is_any)
                return 0; /* volume_conf_find_url() */

        free(conf->url);
        conf->url = strdup(listen);
        return conf->url ? normalize(&conf->url) : -ENOMEM;
}

/* What depends on the number, or on another setting. Says what is wrong. */
static int fill_in(VolumeConf *conf) {
        int r;

        if (3000 + conf->number > UINT16_MAX && !*conf->endpoint.listen)
                return log_error_errno(
                                -EINVAL,
                                "Volume %" PRIu64 " needs Listen=: it has no port of its own.",
                                conf->number);

        r = fill(&conf->directory, "/var/lib/dkv/volume-", conf->number);
        if (r >= 0)
                r = fill(&conf->endpoint.listen, "127.0.0.1:", 3000 + conf->number);
        if (r >= 0)
                r = normalize_list(&conf->master);
        if (r >= 0 && *conf->url)
                r = normalize(&conf->url);
        if (r < 0)
                return log_error_errno(r, "Failed to set defaults: %m");
        return *conf->url ? 0 : fill_in_url(conf);
}

static int set_number(VolumeConf *conf, uint64_t number) {
        char value[sizeof("18446744073709551615")];

        if (number == 0)
                return 0;

        (void) snprintf(value, sizeof(value), "%" PRIu64, number);
        return conf_set(volume_conf_items, conf, "Number", value, "--number");
}

int volume_conf_load(VolumeConf *conf, const ProgramArguments *arguments) {
        char standard[sizeof("/etc/dkv/volume@.conf") + 20];
        int r;

        (void) snprintf(standard, sizeof(standard), "/etc/dkv/volume@%" PRIu64 ".conf",
                        MAX(arguments->number, UINT64_C(1)));
        r = program_load(arguments, arguments->config ?: standard, volume_conf_items, conf);
        if (r < 0)
                return r;

        conf->endpoint.is_redirected_to = true;
        r = set_number(conf, arguments->number);
        if (r < 0)
                return log_error_errno(r, "Failed to set defaults: %m");
        return fill_in(conf);
}

/* By which address of this machine a master sees it: the first one to which there is a way. */
static int find_own_address(const char *masters, uint16_t port, Address *ret) {
        int r;

        do {
                _cleanup_free_ char *url = NULL;
                Address master;

                r = url_list_take(&masters, &url);
                if (r <= 0)
                        return r < 0 ? r : -EHOSTUNREACH;
                r = url_host(url, &master);
                if (r >= 0)
                        r = own_address_find(master.host, port, ret);
        } while (r < 0);
        return 0;
}

int volume_conf_find_url(VolumeConf *conf) {
        const char *listen = conf->endpoint.listen, *reason;
        _cleanup_free_ char *url = NULL;
        Address address, own;
        int r;

        if (*conf->url)
                return 0;

        r = address_parse(listen, &address, &reason);
        if (r < 0)
                return log_error_errno(r, "Listen= must not be '%s', which %s.", listen, reason);
        if (find_own_address(conf->master, address.port, &own) < 0)
                return log_error_errno(
                                -EHOSTUNREACH,
                                "Listen=%s is all addresses of this machine, and clients have to be told one. It "
                                "cannot be seen which, since there is no way to the master at '%s': give Listen= "
                                "an address, or say Url=http://ADDRESS:%u as well.",
                                listen, conf->master, address.port);

        r = url_from_address(&own, &url);
        if (r < 0)
                return log_error_errno(r, "Failed to make a URL: %m");
        free(conf->url);
        conf->url = TAKE_PTR(url);
        return 0;
}
