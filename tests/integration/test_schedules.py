# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random schedules: volumes come, go, die and fill up, jobs are paused and cancelled, connections
are cut, while clients write and read and a model knows what they must find; see schedule.py.

$DKV_SCHEDULES says how many there are, $DKV_SEED the seed of the first one, the others count on
from it."""

import concurrent.futures
import os
import pathlib
import random
import subprocess
import sys

import pytest

SCHEDULES = int(os.environ.get('DKV_SCHEDULES', '30'))
SEED = int(os.environ.get('DKV_SEED', random.randrange(1_000_000)))
AT_A_TIME = 3  # most of a schedule is waiting
DEADLINE = 600

PROGRAM = pathlib.Path(__file__).with_name('schedule.py')


def run(seed):
    return subprocess.run([sys.executable, PROGRAM, str(seed)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=DEADLINE, check=False)


def run_all(n):
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        done = list(pool.map(run, range(SEED, SEED + n)))
    for one in done:
        print((one.stdout if one.returncode else one.stdout.splitlines()[-1]).rstrip())
    failed = [' '.join(map(str, one.args)) for one in done if one.returncode]
    assert not failed, f'{len(failed)} of {n} schedules; to repeat them:\n' + '\n'.join(failed)


def test_schedules():
    run_all(SCHEDULES)


@pytest.mark.sanitize
@pytest.mark.threads
def test_two_schedules():
    """Under sanitizers, where they take longer."""
    run_all(min(2, SCHEDULES))
