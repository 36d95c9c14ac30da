# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9, again and again, under load: every acknowledged write is there and whole, nothing leaks.

$DKV_KILLS says how many kills there are, half of them of the master."""

import json
import os
import random
import subprocess
import subprocess
import time

import pytest

from cluster import BENCH, wait_for
from load import Load

KILLS = int(os.environ.get('DKV_KILLS', '100'))
# Short, so that what was left behind is collected while we wait.
SETTINGS = {'GraceSec': '2s', 'TicketSec': '2s', 'VolumeTimeoutSec': '500ms'}


def kill_and_start(cluster, victims):
    for who in victims:
        cluster[who].process.kill()  # all at once, then see to the remains
    for who in victims:
        cluster[who].wait()
        cluster.start(who)
    cluster.wait_healthy()


@pytest.mark.parametrize('copies', [1, 2])
def test_acknowledged_writes_survive(new_cluster, tmp_path, copies):
    cluster = new_cluster(volumes=3, copies=copies, master=SETTINGS)
    victims = ['master'] * (KILLS // 2) + random.choices([1, 2, 3], k=KILLS // 2)
    random.shuffle(victims)
    begin = time.monotonic()
    load = Load(cluster, tmp_path / 'ledger')
    try:
        for n, victim in enumerate(victims):
            load.wait_for_more(random.randrange(1, 1500))
            kill_and_start(cluster, ['master', 1, 2, 3] if n % 10 == 9 else [victim])
        load.wait_for_more(1000)
    finally:
        load.stop()

    seconds = time.monotonic() - begin
    print(f'copies {copies}: {len(victims)} kills in {seconds:.0f} s, {load.acknowledged} '
          f'acknowledged writes, {load.acknowledged / seconds:.0f}/s')
    load.check()
    cluster.wait_clean(deadline=120)
    load.check()  # and the collector has taken nothing that counts


def test_delete_survives(new_cluster):
    """A deleted key does not come back."""
    cluster = new_cluster(volumes=1, master=SETTINGS)
    for _ in range(3):
        for n in range(50):
            cluster.put(f'{n}', b'x').expect(201)
        for n in range(50):
            cluster.delete(f'{n}').expect(204)
        kill_and_start(cluster, ['master', 1])
        assert cluster.list()['keys'] == []
    cluster.wait_clean()
    assert cluster.objects() == 0


def test_acknowledged_right_before_the_crash(new_cluster):
    """Not even the very last answer may be wrong."""
    cluster = new_cluster(volumes=1, master=SETTINGS)
    for size in 1, 1000, 100000:
        for victims in ['master'], [1], ['master', 1]:
            key = f'{size}/{len(victims)}/{victims[0]}'
            cluster.put(key, b'v' * size).expect(201)
            kill_and_start(cluster, victims)
            assert cluster.get(key).expect(200).body == b'v' * size


@pytest.mark.sanitize
def test_versions_grow_across_crashes(new_cluster):
    cluster = new_cluster(volumes=1, master=SETTINGS)
    last = 0
    for n in range(4):
        version = int(cluster.put('k', b'%d' % n).expect(201, 204)['Dkv-Version'])
        assert version > last
        last = version
        kill_and_start(cluster, ['master'])
        assert cluster.get('k').body == b'%d' % n


def test_load_waits_for_a_server_that_comes_back(new_cluster, tmp_path):
    """dkv-bench --retry: what the other tests of this kind count on."""
    cluster, ledger = new_cluster(volumes=1, master=SETTINGS), tmp_path / 'ledger'
    cluster.kill('master')
    with subprocess.Popen([BENCH, '--json', '--progress=no', '--retry=1min', '--keys=100',
                           '--count=100', f'--acknowledged={ledger}', 'put', cluster.url],
                          stdout=subprocess.PIPE, text=True) as load:
        wait_for(lambda: ledger.exists() and ledger.read_bytes().count(b'?') == 32, 'attempts')
        cluster.start('master')
        report = json.loads(load.communicate()[0])
    assert report['failures'] == 0 and report['requests'] == 100, report
    assert report['retries'] >= 32
    assert cluster.bench('get', '--keys=100', '--count=100')['failures'] == 0
    cluster.kill('master')
    assert cluster.bench('get', '--count=10', check=False)['failures'] > 0
