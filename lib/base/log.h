/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log: to the journal, with fields, if stderr is connected to it, else to stderr as one line with
 * the time. Daemons and tools log; code in lib/ logs only debug messages.
 *
 * Levels as in HACKING.md: err: gave up. warning: went on, and the text says how. notice, info: of
 * use to an operator. debug: costs nothing while it is off. */

#include <errno.h>
#include <syslog.h>

#include "base/macro.h"

/* The highest level that is shown; LOG_INFO at first, LOG_DEBUG with DKV_DEBUG=1. */
void log_set_level(int level);
int log_get_level(void);

/* The names of syslog(3): "err", "debug". From a string: -EINVAL for any other. */
const char *log_level_to_string(int level) _const_;
int log_level_from_string(const char *string);

typedef enum LogTarget {
        LOG_TARGET_AUTO,    /* the journal if stderr is connected to it, else stderr; the default */
        LOG_TARGET_JOURNAL, /* stderr if there is no journal */
        LOG_TARGET_CONSOLE, /* stderr */
        _LOG_TARGET_MAX,
} LogTarget;

#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

void log_set_target(LogTarget target);
LogTarget log_get_target(void);

const char *log_target_to_string(LogTarget target) _const_;
int log_target_from_string(const char *string);

/* Sets errno to ERROR's absolute value, so that FORMAT may use %m. If it ends in ": %m", the
 * message tells the cause and what to do about it instead (see error_format_reason()); before that
 * it has to say what failed, and for which file or volume. Returns -abs(ERROR), so that one may
 * write return log_error_errno(r, "Failed to open '%s': %m", path). */
int log_errno(int level, int error, const char *format, ...) _printf_(3, 4);

/* An event that operators search for: MESSAGE_ID is 32 hex digits (see base/event-ids.h), FIELDS a
 * NULL-terminated array of "DKV_NAME=value" strings, or NULL. */
void log_event(int level,
               const char *message_id,
               const char *const fields[],
               const char *format,
               ...) _printf_(4, 5);

#define log_full_errno(level, error, ...) \
        (log_get_level() >= (level) ? log_errno((level), (error), __VA_ARGS__) : -abs(error))
#define log_error_errno(error, ...)   log_full_errno(LOG_ERR, error, __VA_ARGS__)
#define log_warning_errno(error, ...) log_full_errno(LOG_WARNING, error, __VA_ARGS__)
#define log_debug_errno(error, ...)   log_full_errno(LOG_DEBUG, error, __VA_ARGS__)
#define log_error(...)                ((void) log_full_errno(LOG_ERR, 0, __VA_ARGS__))
#define log_warning(...)              ((void) log_full_errno(LOG_WARNING, 0, __VA_ARGS__))
#define log_notice(...)               ((void) log_full_errno(LOG_NOTICE, 0, __VA_ARGS__))
#define log_info(...)                 ((void) log_full_errno(LOG_INFO, 0, __VA_ARGS__))
#define log_debug(...)                ((void) log_full_errno(LOG_DEBUG, 0, __VA_ARGS__))
