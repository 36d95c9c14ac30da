/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* cmocka, with the headers that it wants in front and a word for "returned 0 or more". */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_ok(expression) assert_true((expression) >= 0)

/* TEST(says_what_is_true) { … } with RUN(says_what_is_true, …) in main(). */
#define TEST(name) static void name(void **state)
