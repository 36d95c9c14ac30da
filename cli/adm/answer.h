/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Answers: completions that the tables do not know: volumes, jobs, zones and so on. */

#include "adm/context/context.h"
#include "frame/completion.h"

/* Prints the answers of the cluster or of this machine, within a second or not at all. */
void answer_print(Context *context, const CompletionQuestion *question);
