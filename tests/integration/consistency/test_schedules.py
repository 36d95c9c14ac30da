# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random schedules: volumes come, go, die and fill up, jobs are paused and cancelled, connections
are cut, while clients write and read and a model knows what they must find; see schedule.py.

$DKV_SCHEDULES says how many there are, $DKV_SEED the seed of the first one, the others count on
from it."""

import concurrent.futures
import os
import queue
import subprocess
import sys

import pytest

from cluster import MASTER, PORTS, SANITIZED, SUPPORT

# With sanitizers they take long.
IS_SLOW = SANITIZED or b'__tsan_init' in MASTER.read_bytes()
SCHEDULES = int(os.environ.get('DKV_SCHEDULES', '2' if IS_SLOW else '24'))  # about three minutes
SEED = int(os.environ.get('DKV_SEED', '1000'))
AT_A_TIME = 3  # most of a schedule is waiting
DEADLINE = 600

PROGRAM = SUPPORT / 'schedule.py'


# Ports of its own for each: a daemon that is down for a while must find its port free again.
PARTS = queue.SimpleQueue()
for part in range(AT_A_TIME):
    PARTS.put(PORTS[part * len(PORTS) // AT_A_TIME:(part + 1) * len(PORTS) // AT_A_TIME])


def run(seed):
    ports = PARTS.get()
    try:
        return subprocess.run([sys.executable, str(PROGRAM), str(seed)], stdout=subprocess.PIPE,
                              env={**os.environ, 'DKV_PORTS': f'{ports.start}-{ports.stop}'},
                              stderr=subprocess.STDOUT, text=True, timeout=DEADLINE, check=False)
    finally:
        PARTS.put(ports)


@pytest.mark.sanitize
@pytest.mark.threads
def test_schedules():
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        done = list(pool.map(run, range(SEED, SEED + SCHEDULES)))
    for one in done:
        print((one.stdout if one.returncode else one.stdout.splitlines()[-1]).rstrip())
    failed = [' '.join(map(str, one.args)) for one in done if one.returncode]
    assert not failed, f'{len(failed)} of {SCHEDULES}; to repeat them:\n' + '\n'.join(failed)
