/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/log.h"
#include "core/address.h"
#include "core/placement/cluster.h"
#include "master/conf.h"

#define AT(field) offsetof(MasterConf, field)

/* A number of seconds as it would be written. */
#define TEXT(value)    #value
#define SECONDS(value) TEXT(value) "s"

/* clang-format off */
const ConfItem master_conf_items[] = {
        { "Master", "Directory",        CONF_STRING, AT(directory),                "/var/lib/dkv/master", 0, 0,
          "Where the index is kept." },
        { "Master", "Listen",           CONF_STRING, AT(endpoint.listen),          "127.0.0.1:3000", 0, 0,
          "Address and port to serve on.", .complain = address_complain },
        { "Master", "SecretFile",       CONF_STRING, AT(endpoint.secret_file),     "/etc/credstore/dkv.secret", 0, 0,
          "The cluster's secret, where systemd passes no credential dkv.secret." },
        { "Master", "Copies",           CONF_UINT,   AT(copies),                   "1",     1, COPIES_MAX,
          "Copies of each value, on different volumes; dkvadm set copies= overrides this.", .live = true },
        { "Master", "AutoAddVolumes",   CONF_BOOL,   AT(auto_add_volumes),         "no",    0, 0,
          "Whether a new volume becomes active at its first report.", .live = true },
        { "Master", "Proxy",            CONF_BOOL,   AT(proxy),                    "no",    0, 0,
          "Whether the master relays values instead of redirecting clients to volumes.", .live = true },
        { "Master", "ValueSizeMax",     CONF_SIZE,   AT(value_size_max),           "1T",    1, 1024 * TIB,
          "Largest value.", .live = true },
        { "Master", "GraceSec",         CONF_TIME,   AT(grace_usec),               "10min", USEC_PER_SEC, 1000 * USEC_PER_DAY,
          "How long replaced, deleted and failed copies stay readable before they are removed.", .live = true },
        { "Master", "TicketSec",        CONF_TIME,   AT(ticket_usec),              "1min",  USEC_PER_SEC, USEC_PER_HOUR,
          "How long a redirect is valid; at most GraceSec=.", .live = true },
        { "Master", "VolumeTimeoutSec", CONF_TIME,   AT(volume_timeout_usec),      SECONDS(VOLUME_TIMEOUT_SEC), USEC_PER_SEC / 2, USEC_PER_HOUR,
          "A volume that has not reported for this long is down.", .live = true },
        { "Master", "CacheSize",        CONF_SIZE,   AT(cache_size),               "0",     0, 1024 * GIB,
          "Memory for pages of the index; 0 is an eighth of the machine's memory, 64M to 4G." },
        { "Master", "CheckpointSize",   CONF_SIZE,   AT(checkpoint_size),          "64M",   MIB, 16 * GIB,
          "Database log after which a checkpoint is made." },
        { "Master", "ReserveSize",      CONF_SIZE,   AT(reserve_size),             "256M",  0, TIB,
          "Free space below which writes are refused." },
        { "Master", "Threads",          CONF_UINT,   AT(endpoint.threads),         "0",     0, 256,
          "Threads that serve requests; 0 means one for each processor." },
        { "Master", "ConnectionsMax",   CONF_UINT,   AT(endpoint.connections_max), "1024",  8, 1000000,
          "Connections of clients and volumes at a time." },
        { "Master", "ConnectionsPerAddressMax", CONF_UINT, AT(endpoint.connections_per_address_max), "0", 0, 1000000,
          "Of these, the number from one address, or IPv6 network of 64 bits; 0 means half of them." },
        { "Master", "RateMin",        CONF_SIZE,   AT(endpoint.rate_min),        "1K",    0, GIB,
          "Clients that send or read fewer bytes per second, over TimeoutSec=, are cut off; 0 for no limit." },
        { "Master", "CorsOrigins",    CONF_STRING, AT(endpoint.cors_origins),    "",      0, 0,
          "Origins of web pages that may use the cluster, such as http://example.com; * for all." },
        { "Master", "HeaderSizeMax",    CONF_SIZE,   AT(endpoint.header_size_max), "16K",   KIB, 64 * KIB,
          "Largest header section of a request." },
        { "Master", "TimeoutSec",       CONF_TIME,   AT(endpoint.timeout_usec),    "30s",   USEC_PER_SEC, USEC_PER_HOUR,
          "How long a connection may make no progress." },
        { "Master", "StopSec",          CONF_TIME,   AT(endpoint.stop_usec),       "30s",   0, USEC_PER_HOUR,
          "How long requests in progress may take when the daemon stops." },
        {}
};
/* clang-format on */

int master_conf_load(MasterConf *conf, const ProgramArguments *arguments) {
        int r;

        r = program_load(
                        arguments, arguments->config ?: "/etc/dkv/master.conf", master_conf_items,
                        conf);
        if (r < 0)
                return r;

        if (conf->ticket_usec > conf->grace_usec)
                return log_error_errno(
                                -EINVAL,
                                "TicketSec= must not be longer than GraceSec=: "
                                "a redirect has to lead to something that is still there.");
        return 0;
}
