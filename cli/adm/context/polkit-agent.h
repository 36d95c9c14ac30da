/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Polkit agent: lets polkit ask for a password on this terminal, as systemctl does. */

/* Starts pkttyagent and returns when it listens. Does nothing if there is no terminal or no such
 * program, for root, and the second time. */
void polkit_agent_open(void);

/* Ends it. */
void polkit_agent_close(void);
