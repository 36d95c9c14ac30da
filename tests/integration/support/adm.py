# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkvadm on a bus and on a terminal."""

import contextlib
import json
import os
import pty
import select
import subprocess
import time

from cluster import DEADLINE, DKVADM, wait_for


def wait_for_bus(cluster, health='ok'):
    """Until the master is on the bus, for which it never waits, and says this."""
    def there():
        done = subprocess.run([DKVADM, f'--sandbox={cluster.directory}', '--json=short', 'status'],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        status = json.loads(done.stdout or '{}')
        return 'master' in status and status['health'] == health

    wait_for(there, f'health {health} on the bus')
    return cluster


def volumes(cluster):
    return {v['number']: v for v in cluster.dkvadm_json('volume', 'list')}


@contextlib.contextmanager
def terminal(command):
    """A program on a terminal of its own."""
    fd, child = pty.openpty()
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=child,
                               start_new_session=True,
                               env={**os.environ, 'TERM': 'xterm', 'PAGER': 'cat'})
    os.close(child)
    try:
        yield process, fd
    finally:
        process.kill()
        process.wait()
        os.close(fd)


def read_until(fd, what):
    """Reads up to WHAT, or the end for None."""
    data = b''
    end = time.monotonic() + DEADLINE
    while what is None or what not in data:
        assert time.monotonic() < end, data
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(fd, 4096)
        except OSError:  # that is how the end of a terminal looks
            piece = b''
        if not piece:
            assert what is None, data
            return data
        data += piece
    return data
