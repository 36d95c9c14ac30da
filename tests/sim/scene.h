/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Scenes: what chance would hardly ever bring about is told step by step. Each step waits for
 * something, and then does something. All else is as in any other run: the same nodes, disks,
 * clients and judge. Without a mutant nothing must come of it; with the one that it is made for,
 * the judge has to notice. */

#include "sim/mutant.h"

typedef struct Scene Scene;
typedef struct World World;

/* The I-th of them; NULL behind the last one. */
const Scene *scene_at(size_t i);
const char *scene_name(const Scene *scene);

/* The scene that a mutant is found in, or NULL if chance finds it. */
const Scene *scene_of(Mutant which);

/* Conditions and members for it. */
void scene_begin(World *world);

/* After each event. A scene that gets stuck ends the program: it has shown nothing. */
void scene_go_on(World *world);
