# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkvadm's verbs that move values, and those of jobs: what they ask, say and show. That nothing is
lost meanwhile is tested elsewhere."""

import json
import os
import signal
import subprocess
import time

import pytest

from adm import read_until, terminal, volumes, wait_for_bus
from cluster import DEADLINE, DKVADM, wait_for

KEYS = {f'key-{i}': os.urandom(100 + i) for i in range(300)}


def start(new_cluster, ticket):
    """Three volumes, of which the last is not active yet, and values on the others."""
    cluster = new_cluster(volumes=3, bus=True, wait=False,
                          master={'AutoAddVolumes': 'no', 'GraceSec': ticket, 'TicketSec': ticket,
                                  'VolumeTimeoutSec': '1s'})
    wait_for_bus(cluster, 'down')
    wait_for(lambda: len(volumes(cluster)) == 3, 'all volumes known')
    assert cluster.dkvadm('volume', 'add', 1, 2) == 'Volume 1 is active.\nVolume 2 is active.\n'
    for key, value in KEYS.items():
        cluster.put(key, value).expect(201)
    return cluster


@pytest.fixture
def partly(new_cluster):
    return start(new_cluster, '1s')


@pytest.fixture
def slow(new_cluster):
    """It waits for long before it removes a volume."""
    return start(new_cluster, '5min')


def check(cluster):
    for key, value in KEYS.items():
        assert cluster.get(key).expect(200).body == value


def job(cluster, number):
    return cluster.dkvadm_json('job', 'show', number)


def numbers_of_copies(cluster, key):
    return sorted(copy['volume'] for copy in cluster.where(key)['copies'])


def test_no_jobs(partly):
    assert 'No jobs' in partly.dkvadm('job', 'list')
    assert partly.dkvadm_json('job', 'list') == []
    for verb in 'show', 'watch', 'pause', 'resume', 'cancel':
        assert 'no job 7' in partly.dkvadm('job', verb, 7, status=1)
    for wrong in ['show', 'x'], ['show', 0], ['set', 1], ['set', 1, '--rate=fast'], ['set', 1, '--parallel=65']:
        partly.dkvadm('job', *wrong, status=2)
    assert 'no job 7' in partly.dkvadm('job', 'set', 7, '--rate=1M', status=1)
    for wrong in 'copies=9', 'copies=0', 'copies', 'colour=red':
        partly.dkvadm('set', wrong, status=2)
    partly.dkvadm('volume', 'add', 3, '--no-rebalance', '--dry-run', status=2)


def test_plan_changes_nothing(partly):
    plan = partly.dkvadm_json('volume', 'add', 3, '--dry-run')
    assert plan['all_keys'] == len(KEYS) and 0 < plan['keys'] < len(KEYS)
    assert {move['target'] for move in plan['moves']} == {3}
    assert sum(move['keys'] for move in plan['moves']) == plan['keys']
    after = {one['number']: one['bytes_after'] for one in plan['volumes']}
    assert sum(after.values()) == sum(map(len, KEYS.values())) and after[3] == plan['bytes']

    text = partly.dkvadm('volume', 'add', 3, '--dry-run')
    assert f'{plan["keys"]} of {len(KEYS)} keys' in text and 'FROM' in text

    plan = partly.dkvadm_json('volume', 'delete', 2, '--dry-run')
    assert {(move['source'], move['target']) for move in plan['moves']} == {(2, 1)}
    assert partly.dkvadm('rebalance', '--dry-run') == 'Nothing to move.\n'
    assert volumes(partly)[3]['state'] == 'new' and volumes(partly)[2]['state'] == 'active'
    assert partly.dkvadm_json('job', 'list') == []


def test_nobody_to_be_asked(partly):
    assert '--yes' in partly.dkvadm('volume', 'add', 3, status=2)
    assert '--yes' in partly.dkvadm('volume', 'delete', 2, status=2)
    assert volumes(partly)[3]['state'] == 'new' and volumes(partly)[2]['state'] == 'active'
    partly.dkvadm('rebalance')  # which moves nothing


def test_add_moves_values(partly):
    plan = partly.dkvadm_json('volume', 'add', 3, '--dry-run')
    text = partly.dkvadm('volume', 'add', 3, '--yes')
    assert text.startswith('Volume 3 is active.\nJob 1 (rebalance) is done: ')
    check(partly)
    moved = sum(numbers_of_copies(partly, key) == [3] for key in KEYS)
    assert moved == plan['keys']

    one = job(partly, 1)
    assert one['state'] == 'done' and one['keys_done'] >= moved and one['error'] == ''
    assert one['started_by'] == os.geteuid() and one['ended_at'] >= one['started_at'] > 0
    assert [(j['id'], j['state']) for j in partly.dkvadm_json('job', 'list')] == [(1, 'done')]
    assert 'rebalance' in partly.dkvadm('job', 'list') and 'ended' in partly.dkvadm('job', 'cancel', 1, status=1)


def test_no_rebalance_leaves_them(partly):
    assert partly.dkvadm('volume', 'add', 3, '--no-rebalance') == 'Volume 3 is active.\n'
    assert not any(3 in numbers_of_copies(partly, key) for key in KEYS)
    assert partly.dkvadm('rebalance', '--yes', '--no-block') == '1\n'
    partly.dkvadm('job', 'watch', 1)
    assert any(3 in numbers_of_copies(partly, key) for key in KEYS)
    check(partly)


def test_set_copies(partly):
    assert 'active volumes' in partly.dkvadm('set', 'copies=3', '--yes', status=1)
    partly.dkvadm('set', 'copies=2', '--yes')
    assert partly.dkvadm_json('status')['master']['copies'] == 2
    assert all(numbers_of_copies(partly, key) == [1, 2] for key in KEYS)
    partly.dkvadm('set', 'copies=1', '--yes')
    assert all(len(numbers_of_copies(partly, key)) == 1 for key in KEYS)
    check(partly)


def test_delete_is_refused_with_the_reason(partly):
    assert 'fewer active volumes' in partly.dkvadm('volume', 'delete', 1, 2, '--yes', status=1)
    assert 'Volume 9' in partly.dkvadm('volume', 'delete', 9, '--yes', status=1)
    assert {v['state'] for n, v in volumes(partly).items() if n < 3} == {'active'}


def test_delete_moves_all_and_removes(partly):
    text = partly.dkvadm('volume', 'delete', 2, '--yes')
    assert 'Job 1 (drain) is done' in text and text.endswith('Volume 2 was removed.\n')
    assert volumes(partly)[2]['state'] == 'removed'
    check(partly)
    assert 'removed' in partly.dkvadm('volume', 'add', 2, '--yes', status=1)


def test_delete_is_cancelled(slow):
    assert slow.dkvadm_json('volume', 'delete', 2, '--yes', '--no-block') == {'job': 1}
    assert volumes(slow)[2]['state'] == 'draining'
    wait_for(lambda: all(numbers_of_copies(slow, key) == [1] for key in KEYS), 'values moved')

    slow.dkvadm('job', 'pause', 1)
    wait_for(lambda: job(slow, 1)['state'] == 'paused', 'job paused')
    slow.dkvadm('job', 'resume', 1)
    wait_for(lambda: job(slow, 1)['state'] == 'running', 'job running')
    slow.dkvadm('job', 'set', 1, '--rate=5M')
    assert job(slow, 1)['rate'] == 5 << 20 and job(slow, 1)['parallel'] == 2
    slow.dkvadm('job', 'set', 1, '--rate=0', '--parallel=7')
    assert job(slow, 1)['rate'] == 0 and job(slow, 1)['parallel'] == 7

    slow.dkvadm('job', 'cancel', 1)
    wait_for(lambda: job(slow, 1)['state'] == 'cancelled', 'job cancelled')
    assert 'cancelled' in slow.dkvadm('job', 'watch', 1, status=1)
    wait_for(lambda: volumes(slow)[2]['state'] == 'active', 'volume 2 active again')
    check(slow)


def test_question_and_bar_on_a_terminal(slow):
    command = [DKVADM, f'--sandbox={slow.directory}', 'volume', 'delete', '2']
    with terminal(command) as (process, fd):
        read_until(fd, b'[y/N] ')
        os.write(fd, b'n\n')
        assert process.wait(DEADLINE) == 1
    assert volumes(slow)[2]['state'] == 'active'

    with terminal(command) as (process, fd):
        assert b'FROM' in read_until(fd, b'[y/N] ')
        os.write(fd, b'y\n')
        read_until(fd, b'Job 1: ')
        read_until(fd, b'100%')
        process.send_signal(signal.SIGINT)
        assert b'dkvadm job watch 1' in read_until(fd, b'job cancel 1')
        assert process.wait(DEADLINE) == 130
    assert job(slow, 1)['state'] == 'running'

    # Whoever watches does not mind that the master is started anew.
    with terminal([*command[:2], 'job', 'watch', '1']) as (process, fd):
        read_until(fd, b'Job 1: ')
        slow.kill('master')
        read_until(fd, b'does not respond')
        slow.start('master')
        read_until(fd, b'Job 1: ')
        slow.dkvadm('job', 'cancel', 1)
        read_until(fd, b'was cancelled')
        assert process.wait(DEADLINE) == 1


def test_map_that_changed_since_the_plan(partly):
    with terminal([DKVADM, f'--sandbox={partly.directory}', 'volume', 'delete', '2']) as (process, fd):
        read_until(fd, b'[y/N] ')
        partly.dkvadm('volume', 'set', 1, '--weight=2')
        os.write(fd, b'y\n')
        assert b'changed' in read_until(fd, b'--epoch')
        assert process.wait(DEADLINE) == 1


def test_json_without_a_terminal(partly):
    done = subprocess.run([DKVADM, f'--sandbox={partly.directory}', '--json=short', 'volume', 'add',
                           '3', '--yes'], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert json.loads(done.stdout)['state'] == 'done'


@pytest.mark.parametrize('end', ['source', 'target'])
def test_job_with_a_rate_holds_up_no_stop(new_cluster, end):
    """The copy that is on its way is given up; the job asks for it again."""
    cluster = new_cluster(volumes=2, bus=True)
    cluster.put('k', bytes(40 << 20)).expect(201)
    source = cluster.where('k')['copies'][0]['volume']
    target = 3 - source
    cluster.dkvadm('set', 'copies=2', '--rate=1M', '--no-block', '--yes')

    def is_under_way():
        done = subprocess.run([DKVADM, f'--sandbox={cluster.directory}', '--json=short', 'job', 'show', '1'],
                              capture_output=True, text=True, timeout=DEADLINE, check=True)
        return json.loads(done.stdout)['state'] == 'running' and (time.monotonic() > begun + 2)

    begun = time.monotonic()
    wait_for(is_under_way, 'the copy to be under way')
    begun = time.monotonic()
    cluster[source if end == 'source' else target].stop()
    assert time.monotonic() < begun + 10  # StopSec= is 30
    cluster.kill(target if end == 'source' else source)
