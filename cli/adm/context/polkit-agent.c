/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adm/context/polkit-agent.h"
#include "base/macro.h"

#define READY_MSEC 5000 /* how long it may take to register with polkit */

static pid_t agent; /* 0 for none */

/* The output of dkvadm may be redirected; the agent always talks to the terminal. */
_noreturn_ static void run_agent(int ready) {
        char number[DECIMAL_SIZE(int)];
        int terminal;

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        terminal = open("/dev/tty", O_RDWR);
        if (terminal < 0 || dup2(terminal, STDIN_FILENO) < 0 || dup2(terminal, STDOUT_FILENO) < 0 ||
            dup2(terminal, STDERR_FILENO) < 0 || fcntl(ready, F_SETFD, 0) < 0)
                _exit(1);

        (void) snprintf(number, sizeof(number), "%i", ready);
        (void) execlp("pkttyagent", "pkttyagent", "--notify-fd", number, "--fallback",
                      (char *) NULL);
        _exit(127);
}

void polkit_agent_open(void) {
        int ends[2];
        pid_t pid;

        if (agent > 0 || geteuid() == 0 || isatty(STDIN_FILENO) != 1 || pipe2(ends, O_CLOEXEC) < 0)
                return;

        pid = fork();
        if (pid == 0)
                run_agent(ends[1]);
        (void) close(ends[1]);
        if (pid > 0) {
                struct pollfd ready = { .fd = ends[0], .events = POLLIN };

                agent = pid;
                (void) poll(&ready, 1, READY_MSEC); /* until the agent closes its end, or exits */
        }
        (void) close(ends[0]);
}

void polkit_agent_close(void) {
        if (agent <= 0)
                return;

        (void) kill(agent, SIGTERM);
        (void) kill(agent, SIGCONT);
        while (waitpid(agent, NULL, 0) < 0 && errno == EINTR)
                ;
        agent = 0;
}
