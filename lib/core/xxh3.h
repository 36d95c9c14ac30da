/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* XXH3 with the widest registers that this processor has, for what is long: on x86 the library
 * looks for them as it runs, if it was built so. What is short is left to the usual ones, since a
 * processor that uses the widest now and then is slower at all else. Both give the same hashes. */

#include <xxhash.h>

#include "base/macro.h"

/* From here on it is long. */
#define XXH3_LONG (16 * KIB)

#ifdef HAVE_XXHASH_DISPATCH
#define XXH_DISPATCH_DISABLE_REPLACE 1
#include <xxh_x86dispatch.h>

/* The function of the library for so many bytes */
#define XXH3_FOR(function, size) ((size) >= XXH3_LONG ? function##_dispatch : function)
#else
#define XXH3_FOR(function, size) (function)
#endif
