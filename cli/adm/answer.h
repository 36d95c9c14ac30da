/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Answers: what may be typed next as far as the tables do not know it: volumes, jobs and so on. */

#include "adm/context/context.h"
#include "frame/completion.h"

/* Prints what the cluster or this machine has for an answer, within a second or not at all. */
void answer_print(Context *context, const CompletionQuestion *question);
