# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes that repeat or contradict a job under way: they join it or are refused, and whatever ends
a job leaves every volume as good as it should be."""

import concurrent.futures
import random
import subprocess
import time

import pytest

from cluster import DEADLINE, wait_for
from jobs import (DRAIN_PATIENCE, MANAGER, act, call, copies, delete, fill, job, read_all,
                  wait_job)

SLOW = ('rate', 't', 100_000)


def refusal(cluster, method, *arguments, where=MANAGER):
    """The name and the text of the error with which a call is refused."""
    done = subprocess.run(
        ['busctl', f'--address={cluster.bus.address}', '--verbose', 'call', 'org.dkv.Master1',
         *where, method, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE,
        check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def number_of(path):
    return path.rpartition('/')[2]


def states(cluster):
    return {one['number']: one['state'] for one in cluster.health()['volumes']}


def live_jobs(cluster):
    return [one for one in cluster.dkvadm_json('job', 'list')
            if one['state'] in ('queued', 'running', 'paused')]


def write_everywhere(cluster, name):
    """No volume is fenced: each has its share of these, and refuses none, be they small or large."""
    used = set()
    for i in range(60):
        size = 100 if i % 3 else 100_000
        cluster.put(f'{name}/{i}', b'v' * size).expect(201)
        used |= {copy['volume'] for copy in cluster.where(f'{name}/{i}')['copies']}
    now = states(cluster)
    assert used == {n for n, state in now.items() if state == 'active'}
    assert 'removed' in now.values() or cluster.health()['status'] == 'ok'


def at_once(n, function):
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(lambda _: function(), range(n)))


def test_a_drain_that_is_repeated_is_one(elastic):
    n = 300
    cluster = elastic(3, 3)
    fill(cluster, n)
    path = delete(cluster, 3)
    assert delete(cluster, 3) == path
    assert set(at_once(4, lambda: delete(cluster, 3))) == {path}
    assert [one['id'] for one in live_jobs(cluster)] == [int(number_of(path))]

    act(cluster, path, 'Cancel')
    wait_job(cluster, path, 'cancelled')
    assert states(cluster)[3] == 'active'
    write_everywhere(cluster, 'after')
    read_all(cluster, n)


def test_drains_at_once_are_one(elastic):
    cluster = elastic(4, 4)
    paths = at_once(6, lambda: delete(cluster, 4))
    assert len(set(paths)) == 1
    assert set(at_once(2, lambda: delete(cluster, 4))) == set(paths)
    wait_job(cluster, paths[0], 'done', deadline=DRAIN_PATIENCE)
    assert states(cluster)[4] == 'removed'
    write_everywhere(cluster, 'after')


def test_a_cancel_just_before_the_end_leaves_no_fence(elastic):
    """At about the time when the volume is fenced and removed."""
    cluster = elastic(3, 3)
    path = delete(cluster, 3)
    wait_for(lambda: 'ticket' in job(cluster, path)['Error'], 'it waits for tickets')
    begin = time.monotonic()
    wait_for(lambda: 'ticket' not in job(cluster, path)['Error'] or
             time.monotonic() > begin + DRAIN_PATIENCE, 'it goes on', DRAIN_PATIENCE)
    subprocess.run(['busctl', f'--address={cluster.bus.address}', 'call', 'org.dkv.Master1', path,
                    'org.dkv.Master1.Job', 'Cancel'], capture_output=True, check=False)
    ended = wait_job(cluster, path, 'done', 'cancelled')
    assert states(cluster)[3] == {'done': 'removed', 'cancelled': 'active'}[ended['State']]
    write_everywhere(cluster, 'after')


def test_sets_that_overlap_are_refused(elastic):
    cluster = elastic(5, 5)
    path = delete(cluster, 2, 3)
    assert delete(cluster, 3) == path
    assert delete(cluster, 3, 2) == path
    error = refusal(cluster, 'DeleteVolumes', 'aua{sv}', 2, 3, 4, 0)
    assert 'Volume 3' in error and f'job {number_of(path)}' in error, error
    assert states(cluster)[4] == 'active'
    other = delete(cluster, 5)
    assert other != path
    error = refusal(cluster, 'DeleteVolumes', 'aua{sv}', 2, 2, 5, 0)
    assert f'job {number_of(path)}' in error, error

    act(cluster, path, 'Cancel')
    wait_job(cluster, path, 'cancelled')
    assert states(cluster) == {1: 'active', 2: 'active', 3: 'active', 4: 'active', 5: 'draining'}
    act(cluster, other, 'Cancel')
    wait_job(cluster, other, 'cancelled')
    write_everywhere(cluster, 'after')


def test_what_is_drained_is_not_added(elastic):
    cluster = elastic(3, 3)
    path = delete(cluster, 3)
    error = refusal(cluster, 'AddVolumes', 'aua{sv}', 1, 3, 0)
    assert 'Volume 3' in error and f'job {number_of(path)}' in error, error
    text = cluster.dkvadm('volume', 'add', 3, status=1)
    assert f'job {number_of(path)}' in text, text
    assert states(cluster)[3] == 'draining'
    act(cluster, path, 'Cancel')
    wait_job(cluster, path, 'cancelled')
    call(cluster, 'AddVolumes', 'aua{sv}', 1, 3, 0)  # it is active, which changes nothing
    write_everywhere(cluster, 'after')


def test_a_cancel_that_is_repeated(elastic):
    cluster = elastic(3, 3)
    path = delete(cluster, 3)
    act(cluster, path, 'Pause')
    at_once(3, lambda: subprocess.run(
        ['busctl', f'--address={cluster.bus.address}', 'call', 'org.dkv.Master1', path,
         'org.dkv.Master1.Job', 'Cancel'], capture_output=True, check=False))
    wait_job(cluster, path, 'cancelled')
    again = delete(cluster, 3)
    assert again != path
    assert 'ended' in refusal(cluster, 'Cancel', where=(path, 'org.dkv.Master1.Job'))
    assert states(cluster)[3] == 'draining'
    act(cluster, again, 'Cancel')
    wait_job(cluster, again, 'cancelled')
    write_everywhere(cluster, 'after')


def test_a_rebalance_that_is_repeated_is_one(elastic):
    n = 600
    cluster = elastic(4, 3)
    fill(cluster, n)
    call(cluster, 'AddVolumes', 'aua{sv}', 1, 4, 1, 'rebalance', 'b', 'false')
    path, _ = call(cluster, 'Rebalance', 'a{sv}', 1, *SLOW)
    assert at_once(4, lambda: call(cluster, 'Rebalance', 'a{sv}', 0)[0]) == 4 * [path]
    assert len(live_jobs(cluster)) == 1
    assert job(cluster, path)['Rate'] == SLOW[2]
    call(cluster, 'Rebalance', 'a{sv}', 2, 'rate', 't', 200_000, 'parallel', 'u', 3)
    assert (job(cluster, path)['Rate'], job(cluster, path)['Parallel']) == (200_000, 3)
    act(cluster, path, 'Set', 'a{sv}', 1, 'rate', 't', 0)
    wait_job(cluster, path, 'done')
    assert copies(cluster, n)[4] > 0


def test_who_joins_a_rebalance_gets_what_he_wants(elastic):
    """It has come far already when the map changes."""
    n = 400
    cluster = elastic(4, 3)
    fill(cluster, n)
    call(cluster, 'AddVolumes', 'aua{sv}', 1, 4, 1, 'rebalance', 'b', 'false')
    path, _ = call(cluster, 'Rebalance', 'a{sv}', 1, *SLOW)
    wait_for(lambda: (job(cluster, path) or {}).get('KeysDone', 0) > 20, 'some moved')
    for wanted in 2, 3, 2:
        assert call(cluster, 'SetCopies', 'ua{sv}', wanted, 0)[0] == path
    act(cluster, path, 'Set', 'a{sv}', 1, 'rate', 't', 0)
    wait_job(cluster, path, 'done')
    assert sum(copies(cluster, n).values()) == 2 * n
    plan = cluster.dkvadm_json('rebalance', '--dry-run')
    assert plan['keys'] == 0, plan
    read_all(cluster, n)


def test_copies_and_a_drain(elastic):
    cluster = elastic(3, 3)
    path = delete(cluster, 3)
    error = refusal(cluster, 'SetCopies', 'ua{sv}', 3, 0)
    assert 'fewer active volumes' in error and f'job {number_of(path)}' in error, error
    assert cluster.dkvadm_json('status')['master']['copies'] == 1
    call(cluster, 'SetCopies', 'ua{sv}', 2, 0)
    assert 'fewer active volumes' in refusal(cluster, 'DeleteVolumes', 'aua{sv}', 1, 2, 0)
    act(cluster, path, 'Cancel')
    wait_job(cluster, path, 'cancelled')
    write_everywhere(cluster, 'after')


def test_maintenance_and_a_drain(elastic):
    cluster = elastic(3, 3)
    fill(cluster, 100)
    cluster.dkvadm('volume', 'maintenance', 3, 'on')
    path = delete(cluster, 3)
    cluster.dkvadm('volume', 'maintenance', 2, 'on')
    act(cluster, path, 'Cancel')
    wait_job(cluster, path, 'cancelled')
    for n in 2, 3:
        cluster.dkvadm('volume', 'maintenance', n, 'off')
    write_everywhere(cluster, 'after')
    path = delete(cluster, 3)
    cluster.dkvadm('volume', 'maintenance', 3, 'on')
    wait_job(cluster, path, 'done', deadline=DRAIN_PATIENCE)
    write_everywhere(cluster, 'at last')
    read_all(cluster, 100)


def test_a_failed_drain_and_another_one(elastic):
    n = 100
    cluster = elastic(3, 3)
    fill(cluster, n)
    cluster.kill(3)
    first = delete(cluster, 3)
    wait_job(cluster, first, 'failed')
    cluster.start(3)
    wait_for(lambda: {v['number']: v for v in cluster.health()['volumes']}[3]['up'], 'it is up')
    second = delete(cluster, 3)
    assert second != first
    assert delete(cluster, 3) == second
    assert 'ended' in refusal(cluster, 'Cancel', where=(first, 'org.dkv.Master1.Job'))
    assert states(cluster)[3] == 'draining'
    act(cluster, second, 'Cancel')
    wait_job(cluster, second, 'cancelled')
    wait_for(lambda: cluster.health()['status'] == 'ok', 'ok')
    write_everywhere(cluster, 'after')
    read_all(cluster, n)


@pytest.mark.sanitize
def test_kills_at_any_point(elastic):
    """The master dies amid the start of a drain, its being joined, and its cancellation."""
    rng = random.Random(7)
    cluster = elastic(3, 3)

    def try_call(*arguments):
        subprocess.run(['busctl', f'--address={cluster.bus.address}', '--timeout=3', 'call',
                        'org.dkv.Master1', *map(str, arguments)], capture_output=True, check=False)

    def is_there():
        return subprocess.run(
            ['busctl', f'--address={cluster.bus.address}', 'get-property', 'org.dkv.Master1',
             *MANAGER, 'Epoch'], capture_output=True, check=False).returncode == 0

    for _ in range(8):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for _ in range(2):
                pool.submit(try_call, *MANAGER, 'DeleteVolumes', 'aua{sv}', 1, 3, 0)
            for one in cluster.dkvadm_json('job', 'list'):
                if one['state'] not in ('done', 'cancelled'):
                    pool.submit(try_call, f'/org/dkv/Master1/job/{one["id"]}',
                                'org.dkv.Master1.Job', 'Cancel')
            time.sleep(rng.random() * 0.06)
            cluster.kill('master')
            cluster.start('master')
        wait_for(is_there, 'the master')
        live = live_jobs(cluster)
        assert len(live) <= 1
        wait_for(lambda: (states(cluster)[3] == 'draining') == bool(live_jobs(cluster)),
                 'a volume is drained by a job, or is active')

    for one in live_jobs(cluster):
        act(cluster, f'/org/dkv/Master1/job/{one["id"]}', 'Cancel')
    wait_for(lambda: not live_jobs(cluster), 'all jobs have ended')

    # On a slow machine a drain may have come to its end between two kills.
    wait_for(lambda: cluster.health()['status'] == 'ok' or states(cluster)[3] == 'removed', 'ok')
    assert states(cluster) in ({1: 'active', 2: 'active', 3: last} for last in ('active', 'removed'))
    write_everywhere(cluster, 'after')
