/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the reports of volumes tell of their health, and what is wrong with reports themselves. */

#include "base/json.h"
#include "core/call/volume-report.h"
#include "master/trouble/trouble.h"

/* Reads what JSON says of the volume's health. What is pointed to is of JSON. Returns 0 or -EINVAL.
 */
int peer_read_health(const Json *json, VolumeReport *ret);

/* Notes what is wrong, as troubles, and clears what is not any more. */
void peer_note_health(Troubles *troubles, const VolumeReport *report, const char *fault_detail);

/* A report was refused with ERROR (as volumes_report(), or -EPROTO for another release). */
void peer_note_refusal(Troubles *troubles, const VolumeReport *report, int error);
