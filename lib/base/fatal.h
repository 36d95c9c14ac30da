/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Fatal: what the process must not survive, such as a failed fsync, after which nobody knows what
 * is on the disk.
 *
 * A library does not end the process. It calls fatal(), and the program has set what happens then:
 * a report and an abort. For the whole process, from any thread. */

#include "base/macro.h"

/* WHAT is a sentence such as "Failed to flush '/var/lib/dkv/log.0000000001'", ERROR a positive
 * errno. Its type promises that it does not return. */
typedef void (*FatalHandler)(const char *what, int error) _noreturn_;

/* Before anything that may call fatal() is used. */
void fatal_set_handler(FatalHandler handler);

/* Calls the handler. A program that has set none has a bug. */
_noreturn_ void fatal(const char *what, int error);
