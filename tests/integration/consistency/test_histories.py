# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients are told is linearizable, whatever happens to the cluster; see history.py.

$DKV_HISTORIES says how many runs of each kind there are, $DKV_HISTORY_SEC how long each takes, and
$DKV_SEED the seed of the first one, the others count on from it."""

import os
import subprocess
import sys

import pytest

from cluster import SUPPORT

RUNS = int(os.environ.get('DKV_HISTORIES', '1'))
SECONDS = float(os.environ.get('DKV_HISTORY_SEC', '20'))
SEED = int(os.environ.get('DKV_SEED', '1'))
PROGRAM = SUPPORT / 'history.py'


@pytest.mark.parametrize('kind', [
    'calm', 'kills', pytest.param('moves', marks=[pytest.mark.sanitize, pytest.mark.threads])])
def test_linearizable(kind):
    for seed in range(SEED, SEED + RUNS):
        done = subprocess.run([sys.executable, PROGRAM, kind, str(seed), str(SECONDS)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=300 + SECONDS, check=False)
        print(done.stdout if done.returncode else done.stdout.splitlines()[-1])
        assert done.returncode == 0, f'to repeat it: {PROGRAM.name} {kind} {seed} {SECONDS}'
