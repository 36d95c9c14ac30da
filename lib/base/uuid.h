/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Uuid: 16 random bytes that are made with a store and name it for ever, whatever its number. */

#include <stdint.h>

typedef uint8_t Uuid[16];
