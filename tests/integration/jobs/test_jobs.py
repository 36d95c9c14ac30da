# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs of the master: what they move, that nothing is lost on the way, and that they go on."""

import itertools
import re

import pytest

from cluster import wait_for
from jobs import DRAIN_PATIENCE, act, add, call, copies, delete, fill, job, read_all, wait_job


@pytest.mark.sanitize
@pytest.mark.parametrize('n_copies', [1, pytest.param(2, marks=pytest.mark.threads)])
def test_rebalance_moves_what_belongs_on_the_new_volume(elastic, n_copies):
    n = 1000
    cluster = elastic(4, 3, copies=n_copies)
    fill(cluster, n)
    before = copies(cluster, n)
    assert before[4] == 0

    path = add(cluster, 4)
    status = wait_job(cluster, path, 'done')
    after = copies(cluster, n)
    assert sum(after.values()) == n * n_copies
    assert 0.8 < after[4] / (n * n_copies / 4) < 1.2
    assert status['Type'] == 'rebalance'
    assert status['Error'] == ''
    assert status['KeysDone'] == status['KeysTotal'] >= after[4]
    assert status['KeysDone'] <= 1.1 * after[4]
    read_all(cluster, n)
    cluster.wait_clean()
    read_all(cluster, n)


def test_rebalance_makes_missing_copies_and_trims_surplus_ones(elastic):
    n = 300
    cluster = elastic(3, 3)
    fill(cluster, n)
    for wanted in 2, 1:
        path, _ = call(cluster, 'SetCopies', 'ua{sv}', wanted, 0)
        wait_job(cluster, path, 'done')
        assert sum(copies(cluster, n).values()) == wanted * n
        read_all(cluster, n)
    cluster.wait_clean()
    read_all(cluster, n)


@pytest.mark.threads
def test_drain_leaves_nothing_on_the_volume(elastic):
    n = 500
    cluster = elastic(3, 3)
    fill(cluster, n)
    path = delete(cluster, 2)
    status = wait_job(cluster, path, 'done', deadline=DRAIN_PATIENCE)
    assert status['Type'] == 'drain'
    assert status['Volumes'] == [2]
    assert copies(cluster, n)[2] == 0
    read_all(cluster, n)
    seen = {one['number']: one for one in cluster.health()['volumes']}
    assert seen[2]['state'] == 'removed'


@pytest.mark.parametrize('n_copies', [1, 2])
def test_write_that_outlasts_the_drain_is_refused(elastic, n_copies):
    """Its ticket has long expired, but the value comes slowly."""
    cluster = elastic(3, 3, copies=n_copies)
    urls = ((f'slow/{i}', cluster.write_redirect(f'slow/{i}')) for i in itertools.count())
    key, url = next(found for found in urls if cluster.volume_of(found[1]) == 2)
    cluster.put(key, b'old').expect(201)
    with cluster.raw(2) as slow:
        slow.head('PUT', re.sub('^http://[^/]*', '', cluster.write_redirect(key)),
                  'Transfer-Encoding: chunked').chunk(b'n' * 100000)
        path = delete(cluster, 2)
        wait_job(cluster, path, 'done', deadline=DRAIN_PATIENCE)
        slow.chunk(b'').answer().expect(503)
    assert cluster.get(key).expect(200).body == b'old'
    assert len(cluster.where(key)['copies']) == n_copies
    cluster.put(key, b'n' * 100000).expect(204)
    assert cluster.get(key).expect(200).body == b'n' * 100000


def test_target_that_gets_full(elastic):
    """The others get what is theirs; the job says which volume lacks room, and the next one goes on
    when it has."""
    n = 1500
    cluster = elastic(5, 3)
    fill(cluster, n)
    add(cluster, 4, 5, rebalance=False)
    path, _ = call(cluster, 'Rebalance', 'a{sv}', 1, 'rate', 't', 400_000)
    wait_for(lambda: (job(cluster, path) or {}).get('KeysDone', 0) > 20, 'some moved')
    cluster[4].stop()
    cluster[4].settings['ReserveSize'] = '1T'
    cluster.start(4)
    act(cluster, path, 'Set', 'a{sv}', 1, 'rate', 't', 0)
    status = wait_job(cluster, path, 'failed')
    before = copies(cluster, n)
    assert 'Volume 4 has no room' in status['Error']
    assert before[4] < 0.8 * n / 5 < before[5]
    assert sum(before.values()) == n
    read_all(cluster, n)

    cluster[4].stop()
    del cluster[4].settings['ReserveSize']
    cluster.start(4)
    cluster.wait_healthy()
    path, _ = call(cluster, 'Rebalance', 'a{sv}', 0)
    status = wait_job(cluster, path, 'done')
    after = copies(cluster, n)
    assert status['KeysDone'] == after[4] - before[4]
    assert after[4] > 0.8 * n / 5
    cluster.wait_clean()
    read_all(cluster, n)


def test_cancelled_drain_brings_the_volume_back(elastic):
    n = 300
    cluster = elastic(3, 3)
    fill(cluster, n)
    path = delete(cluster, 2)
    assert {v['number']: v for v in cluster.health()['volumes']}[2]['state'] == 'draining'
    act(cluster, path, 'Cancel')
    wait_job(cluster, path, 'cancelled')
    assert {v['number']: v for v in cluster.health()['volumes']}[2]['state'] == 'active'
    read_all(cluster, n)


@pytest.mark.parametrize('victim', [pytest.param('master', marks=pytest.mark.threads), 4, 1])
def test_goes_on_after_a_kill(elastic, victim):
    n = 1500
    cluster = elastic(4, 3)
    fill(cluster, n)
    path = add(cluster, 4, rebalance=False)
    assert path == '/'
    path, _ = call(cluster, 'Rebalance', 'a{sv}', 2, 'rate', 't', 400_000, 'parallel', 'u', 1)
    wait_for(lambda: (job(cluster, path) or {}).get('KeysDone', 0) > 20, 'some moved')
    cluster.kill(victim)
    cluster.start(victim)
    cluster.wait_healthy()
    now = wait_for(lambda: job(cluster, path), 'the job')
    assert now['State'] == 'running'
    assert now['Rate'] == 400_000
    act(cluster, path, 'Set', 'a{sv}', 1, 'rate', 't', 0)
    status = wait_job(cluster, path, 'done')
    after = copies(cluster, n)
    assert sum(after.values()) == n
    assert after[4] > 0.8 * n / 4
    assert after[4] <= status['KeysDone'] == status['KeysTotal'] <= 1.1 * after[4]
    read_all(cluster, n)
    cluster.wait_clean()
    read_all(cluster, n)


def test_pauses_resumes_and_keeps_its_limits(elastic):
    n = 1000
    cluster = elastic(4, 3)
    fill(cluster, n)
    add(cluster, 4, rebalance=False)
    path, _ = call(cluster, 'Rebalance', 'a{sv}', 1, 'rate', 't', 200_000)
    wait_for(lambda: job(cluster, path)['KeysDone'] > 5, 'some moved')
    act(cluster, path, 'Pause')
    wait_job(cluster, path, 'paused')
    done = wait_for(lambda: job(cluster, path), 'paused')['KeysDone']
    assert done < n / 4
    cluster.restart('master')
    wait_job(cluster, path, 'paused')
    act(cluster, path, 'Set', 'a{sv}', 1, 'rate', 't', 0)
    act(cluster, path, 'Resume')
    wait_job(cluster, path, 'done')
    read_all(cluster, n)


def test_dead_volume_is_made_good_from_the_other_copies(elastic):
    n = 300
    cluster = elastic(3, 3, copies=2)
    fill(cluster, n)
    cluster.kill(2)
    path = delete(cluster, 2)
    wait_job(cluster, path, 'done', deadline=DRAIN_PATIENCE)
    assert sum(copies(cluster, n).values()) == 2 * n
    assert copies(cluster, n)[2] == 0
    read_all(cluster, n)


def test_lost_keys_are_named_and_answered_503(elastic):
    n = 300
    cluster = elastic(3, 3)
    fill(cluster, n)
    lost = {f'k/{i:05}' for i in range(n)
            if cluster.where(f'k/{i:05}')['copies'][0]['volume'] == 2}
    cluster.kill(2)
    path = delete(cluster, 2)
    status = wait_job(cluster, path, 'failed')
    assert status['LostKeys'] == len(lost)
    assert str(len(lost)) in status['Error']
    assert set(act(cluster, path, 'GetLostKeys')[0]) == lost

    path = delete(cluster, 2, accept_loss=True)
    wait_job(cluster, path, 'done', deadline=DRAIN_PATIENCE)
    for key in sorted(lost)[:20]:
        cluster.get(key).expect(503)


def test_a_volume_that_is_down_is_waited_for(elastic):
    n = 300
    cluster = elastic(4, 3)
    fill(cluster, n)
    add(cluster, 4, rebalance=False)
    cluster.kill(4)
    wait_for(lambda: not {v['number']: v for v in cluster.health()['volumes']}[4]['up'], 'down')
    path, _ = call(cluster, 'Rebalance', 'a{sv}', 0)
    wait_for(lambda: '4' in (job(cluster, path) or {}).get('Error', ''), 'waits for 4')
    cluster.start(4)
    wait_job(cluster, path, 'done')
    assert copies(cluster, n)[4] > 0
    read_all(cluster, n)


def test_plan_of_a_deletion_leaves_the_rest_alone(elastic):
    """As the job does: what belongs on volume 4 stays where it is, if that is not volume 3."""
    n = 400
    cluster = elastic(4, 3)
    fill(cluster, n)
    add(cluster, 4, rebalance=False)
    (plan,) = call(cluster, 'Plan', 'saua{sv}', 'delete', 1, 3, 0)
    plan = {name: value['data'] for name, value in plan.items()}
    assert {move[0] for move in plan['moves']} == {3}
    assert plan['keys'] == copies(cluster, n)[3]
    path = delete(cluster, 3)
    assert wait_job(cluster, path, 'done', deadline=DRAIN_PATIENCE)['KeysDone'] == plan['keys']


def test_plan_tells_what_the_job_then_does(elastic):
    n = 400
    cluster = elastic(4, 3)
    fill(cluster, n)
    (plan,) = call(cluster, 'Plan', 'saua{sv}', 'add', 1, 4, 0)
    plan = {name: value['data'] for name, value in plan.items()}
    assert plan['all_keys' if 'all_keys' in plan else 'all-keys'] == n
    assert {move[1] for move in plan['moves']} == {4}
    assert sum(move[2] for move in plan['moves']) == plan['keys']
    path = add(cluster, 4)
    assert wait_job(cluster, path, 'done')['KeysDone'] == plan['keys']
