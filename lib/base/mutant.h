/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mutants: rules that can be left out, one at a time, to see that the simulator (tests/sim)
 * notices. For it, what has such rules is compiled a second time, with a header of its own that
 * says which one is left out. In dkv none ever is. */

#ifdef MUTANTS
#include MUTANTS
#else
#define MUTANT(name) false
#endif
