/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Polkit agent: lets polkit ask for a password on this terminal, as systemctl does. */

/* Starts pkttyagent and waits until it is ready. Does nothing without a terminal or such a program,
 * for root, or if the agent is running. */
void polkit_agent_open(void);

/* Ends it. */
void polkit_agent_close(void);
