/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The location in this file would be of no use to anybody. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

#define MESSAGE_SIZE 2048
#define FIELDS_MAX   16

/* Both are found out when they are first needed; threads that race find the same. */
static atomic_int max_level = -1;
static atomic_int journal = -1; /* whether stderr is connected to it */

static _Atomic LogTarget log_target;

/* clang-format off */
static const char *const levels[] = {
        [LOG_EMERG]   = "emerg",
        [LOG_ALERT]   = "alert",
        [LOG_CRIT]    = "crit",
        [LOG_ERR]     = "err",
        [LOG_WARNING] = "warning",
        [LOG_NOTICE]  = "notice",
        [LOG_INFO]    = "info",
        [LOG_DEBUG]   = "debug",
};

static const char *const targets[] = {
        [LOG_TARGET_AUTO]    = "auto",
        [LOG_TARGET_JOURNAL] = "journal",
        [LOG_TARGET_CONSOLE] = "console",
};
/* clang-format on */

static int find_name(const char *const names[], size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(names[i], name) == 0)
                        return (int) i;
        return -EINVAL;
}

const char *log_level_to_string(int level) {
        assert(level >= 0 && (size_t) level < ELEMENTSOF(levels));

        return levels[level];
}

int log_level_from_string(const char *string) {
        return find_name(levels, ELEMENTSOF(levels), string);
}

const char *log_target_to_string(LogTarget target) {
        assert(target < _LOG_TARGET_MAX);

        return targets[target];
}

int log_target_from_string(const char *string) {
        return find_name(targets, ELEMENTSOF(targets), string);
}

void log_set_target(LogTarget target) {
        log_target = target;
}

LogTarget log_get_target(void) {
        return log_target;
}

void log_set_level(int level) {
        max_level = level;
}

int log_get_level(void) {
        int level = atomic_load_explicit(&max_level, memory_order_relaxed);

        if (level < 0) {
                const char *debug = getenv("DKV_DEBUG");
                int unset = -1;

                level = debug && strcmp(debug, "1") == 0 ? LOG_DEBUG : LOG_INFO;
                if (!atomic_compare_exchange_strong(&max_level, &unset, level))
                        level = unset; /* another thread was faster: its result counts */
        }

        return level;
}

/* $JOURNAL_STREAM names the stream that systemd gave us; a redirected stderr is another one. */
static bool is_journal_stream(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        char expected[2 * sizeof("18446744073709551615")];
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;

        (void) snprintf(expected, sizeof(expected), "%ju:%ju", (uintmax_t) st.st_dev,
                        (uintmax_t) st.st_ino);
        return strcmp(stream, expected) == 0;
}

/* Where there is no journal, libsystemd drops messages and says that all went well. */
static bool use_journal(void) {
        LogTarget target = log_target;

        if (target != LOG_TARGET_AUTO)
                return target == LOG_TARGET_JOURNAL && access(LOG_JOURNAL_SOCKET, F_OK) >= 0;

        if (journal < 0)
                journal = is_journal_stream();

        return journal;
}

static void send_to_stderr(int level, const char *message) {
        char line[MESSAGE_SIZE + 64], date[sizeof("2026-01-02 03:04:05")] = "";
        struct timespec now;
        struct tm tm;
        int n;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        if (localtime_r(&now.tv_sec, &tm))
                (void) strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);

        n = snprintf(line, sizeof(line), "%s.%03u %s %s", date, (unsigned) (now.tv_nsec / 1000000),
                     log_level_to_string(level), message);

        /* A message is one line, whatever strings from outside it contains. */
        for (char *p = line; *p != '\0'; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = '?';
        line[n] = '\n';

        /* There is nobody left to tell if this fails. */
        (void) write_all(STDERR_FILENO, line, (size_t) n + 1);
}

static struct iovec field(const char *string) {
        return (struct iovec){ .iov_base = (char *) string, .iov_len = strlen(string) };
}

static int send_to_journal(
                int level,
                int error,
                const char *message,
                const char *message_id,
                const char *const fields[]) {
        char text[sizeof("MESSAGE=") + MESSAGE_SIZE], priority[16], number[24], id[64];
        struct iovec parts[FIELDS_MAX + 4];
        int n = 0;

        (void) snprintf(text, sizeof(text), "MESSAGE=%s", message);
        parts[n++] = field(text);

        (void) snprintf(priority, sizeof(priority), "PRIORITY=%i", level);
        parts[n++] = field(priority);

        if (error != 0) {
                (void) snprintf(number, sizeof(number), "ERRNO=%i", error);
                parts[n++] = field(number);
        }

        if (message_id) {
                (void) snprintf(id, sizeof(id), "MESSAGE_ID=%s", message_id);
                parts[n++] = field(id);
        }

        for (size_t i = 0; fields && fields[i]; i++) {
                assert(i < FIELDS_MAX);
                parts[n++] = field(fields[i]);
        }

        return sd_journal_sendv(parts, n);
}

/* Replaces the text of %m at the end of MESSAGE by the cause and what to do about it. */
static void explain(int error, const char *format, char message[static MESSAGE_SIZE]) {
        static const char ending[] = ": %m";
        char plain[ERROR_REASON_SIZE], reason[ERROR_REASON_SIZE];
        size_t length = strlen(format), size = strlen(message), n;

        if (length < strlen(ending) || strcmp(format + length - strlen(ending), ending) != 0)
                return;

        errno = error;
        n = (size_t) snprintf(plain, sizeof(plain), "%m");
        error_format_reason(error, reason);
        if (size >= n && size - n + strlen(reason) < MESSAGE_SIZE)
                memcpy(message + size - n, reason, strlen(reason) + 1);
}

_printf_(5, 0) static void dispatch(
                int level,
                int error,
                const char *message_id,
                const char *const fields[],
                const char *format,
                va_list arguments) {
        char message[MESSAGE_SIZE];
        int saved = errno;

        assert(format);

        errno = error;
        (void) vsnprintf(message, sizeof(message), format, arguments);
        if (error != 0 && level <= LOG_WARNING)
                explain(error, format, message);

        if (!use_journal() || send_to_journal(level, error, message, message_id, fields) < 0)
                send_to_stderr(level, message);

        errno = saved;
}

int log_errno(int level, int error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        dispatch(level, abs(error), NULL, NULL, format, arguments);
        va_end(arguments);

        return -abs(error);
}

void log_event(int level,
               const char *message_id,
               const char *const fields[],
               const char *format,
               ...) {
        va_list arguments;

        assert(message_id);

        if (log_get_level() < level)
                return;

        va_start(arguments, format);
        dispatch(level, 0, message_id, fields, format, arguments);
        va_end(arguments);
}
