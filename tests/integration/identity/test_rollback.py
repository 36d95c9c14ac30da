# SPDX-License-Identifier: LGPL-2.1-or-later
"""Directories that are not what they were: an older index, an empty one, one of another cluster; a
volume's older directory. Nothing is lost that a newer one brings back, and status says how it is."""

import shutil
import time

import pytest

from cluster import wait_for

# Short, so that what would be deleted by mistake is deleted while we look.
SETTINGS = {'GraceSec': '1s', 'TicketSec': '1s', 'VolumeTimeoutSec': '700ms'}


def keep(daemon, name):
    """Copies the directory of a daemon."""
    copy = daemon.data.with_name(f'{daemon.data.name}-{name}')
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(daemon.data, copy)
    return copy


def bring(daemon, copy):
    """Puts a copy, or nothing, in the place of the directory, which is kept; returns where."""
    aside = daemon.data.with_name(f'{daemon.data.name}-{time.monotonic_ns()}')
    daemon.data.rename(aside)
    if copy:
        shutil.copytree(copy, daemon.data)
    else:
        daemon.data.mkdir()
    return aside


def fill(cluster, prefix, n, value):
    for i in range(n):
        cluster.put(f'{prefix}{i}', f'{value}{i}' * 10).expect(201, 204)


def is_there(cluster, prefix, n, value):
    return all(cluster.get(f'{prefix}{i}').expect(200).body == (f'{value}{i}' * 10).encode()
               for i in range(n))


def restart_master(cluster):
    cluster.master.start()
    wait_for(lambda: answers(cluster), 'the master to answer')


def answers(cluster):
    try:
        return cluster.health()
    except OSError:
        return None


def is_down(cluster, *words):
    health = answers(cluster)
    return health and health['status'] == 'down' and all(w in health['reason'] for w in words)


def all_objects(cluster):
    return sum(cluster.health(n)['objects'] for n in cluster.volumes)


def assert_refuses(cluster, *words):
    """No client gets anything but 503 with the reason."""
    for method in 'GET', 'PUT', 'POST', 'DELETE', 'HEAD':
        answer = cluster.request(method, '/old1', b'x' if method in ('PUT', 'POST') else None)
        answer.expect(503)
        if method != 'HEAD':
            assert answer['Content-Type'] == 'application/problem+json'
            assert all(word in answer.json['detail'] for word in words)
    cluster.request('GET', '/?prefix=').expect(503)


# What roll_back() overwrites or deletes behind the backup: the older index names copies of these
# that are gone.
GONE = sorted([*(f'old{i}' for i in range(10)), 'old29'])


def has_trouble(cluster, name):
    return any(one['trouble'] == name for one in cluster.health()['troubles'])


def lost_keys(cluster):
    return sorted(one['key'] for one in cluster.dkvadm_json('damage') if one['lost'])


def assert_only_lost(cluster, lost):
    """Of what roll_back() has written, all that the older index knows is there, but for LOST."""
    for i in range(30):
        answer = cluster.get(f'old{i}')
        if f'old{i}' in lost:
            answer.expect(404, 502)
        else:
            assert answer.expect(200).body == (f'first{i}' * 10).encode()
        cluster.get(f'new{i}').expect(404)


def roll_back(cluster, hot):
    """An index from a backup, after which more was written; the true one is returned."""
    fill(cluster, 'old', 30, 'first')
    if not hot:
        cluster.master.stop()
    backup = keep(cluster.master, 'backup')
    if not hot:
        cluster.master.start()
        cluster.wait_healthy()
    fill(cluster, 'old', 10, 'second')
    fill(cluster, 'new', 30, 'new')
    cluster.delete('old29').expect(204)
    wait_for(lambda: cluster.health()['garbage'] == 0, 'old copies to be gone')
    cluster.master.stop()
    true = bring(cluster.master, backup)
    restart_master(cluster)
    return true


@pytest.mark.parametrize('hot', [False, True], ids=['stopped', 'running'])
def test_an_older_index_does_not_lead(new_cluster, hot):
    cluster = new_cluster(volumes=2, master=SETTINGS, bus=True)
    true = roll_back(cluster, hot)
    objects = all_objects(cluster)

    wait_for(lambda: is_down(cluster, 'older than its volumes', 'its last change is of'), 'refusal')
    assert_refuses(cluster, 'older than its volumes')
    assert 'dkvadm master accept-rollback' in cluster.health()['advice']
    status = cluster.dkvadm('status', status=4)
    assert 'older than its volumes' in status
    assert 'does not lead' in cluster.dkvadm('rebalance', '--yes', status=1)

    # It knows at once when it is started again, and nothing is ever deleted.
    cluster.master.stop()
    restart_master(cluster)
    assert_refuses(cluster, 'older than its volumes')
    assert all_objects(cluster) == objects

    # The way back: the newer index.
    cluster.master.stop()
    bring(cluster.master, true)
    cluster.master.start()
    cluster.wait_healthy()
    assert is_there(cluster, 'old', 10, 'second')
    assert is_there(cluster, 'new', 30, 'new')
    cluster.get('old29').expect(404)


@pytest.mark.parametrize('hot', [False, True], ids=['stopped', 'running'])
def test_an_accepted_rollback_reuses_and_deletes_nothing(new_cluster, hot):
    cluster = new_cluster(volumes=2, master=SETTINGS, bus=True)
    seen = 0
    roll_back(cluster, hot)
    objects = all_objects(cluster)
    wait_for(lambda: is_down(cluster, 'older than its volumes'), 'refusal')
    assert 'without a terminal' in cluster.dkvadm('master', 'accept-rollback', status=2)
    cluster.dkvadm('master', 'accept-rollback', '--yes')
    cluster.wait_healthy()
    wait_for(lambda: has_trouble(cluster, 'rolled-back'), 'the rollback to be told')
    assert 'older index was accepted' in cluster.health()['reason']

    # The same before and after the stores were compared with the index: what it knows and was not
    # overwritten is right, and nothing else is served in the place of what is lost.
    assert_only_lost(cluster, GONE)
    wait_for(lambda: lost_keys(cluster) == GONE, 'all that is lost to be named')
    assert_only_lost(cluster, GONE)
    wait_for(lambda: has_trouble(cluster, 'values-lost'), 'the loss to be told')
    assert has_trouble(cluster, 'rolled-back')

    # All that is written works, and is what is read, wherever it moves.
    for i in range(60):
        answer = cluster.put(f'later{i}', f'later{i}' * 10).expect(201)
        assert int(answer['Dkv-Version']) > seen
        seen = int(answer['Dkv-Version'])
    cluster.new_volume(3).bus_address = cluster.bus.address
    cluster.start(3)
    cluster.wait_healthy()
    cluster.dkvadm('rebalance', '--yes')
    assert is_there(cluster, 'later', 60, 'later')
    wait_for(lambda: cluster.health()['garbage'] == 0 and not any(
        cluster.health(n)['pending'] for n in cluster.volumes), 'everything to be settled')
    assert all_objects(cluster) >= objects + 60

    # Nothing is left of it that would make the next start doubt.
    cluster.restart('master')
    assert is_there(cluster, 'later', 60, 'later')
    assert 'nothing to accept' in cluster.dkvadm('master', 'accept-rollback', '--yes', status=1)


def test_a_start_may_accept_a_rollback(new_cluster):
    cluster = new_cluster(volumes=1, master=SETTINGS)
    roll_back(cluster, False)
    wait_for(lambda: is_down(cluster, 'older than its volumes'), 'refusal')
    cluster.master.stop()
    cluster.master.options = ['--accept-rollback']
    cluster.master.start()
    cluster.wait_healthy()
    cluster.put('later', 'x').expect(201)
    cluster.get('old15').expect(200)


def test_a_restored_index_leads_if_nothing_was_written_since(new_cluster):
    cluster = new_cluster(volumes=2, master=SETTINGS)
    fill(cluster, 'old', 30, 'first')
    cluster.master.stop()
    backup = keep(cluster.master, 'backup')
    bring(cluster.master, backup)
    cluster.master.start()
    cluster.wait_healthy()
    assert is_there(cluster, 'old', 30, 'first')
    fill(cluster, 'new', 30, 'new')
    assert is_there(cluster, 'new', 30, 'new')


def test_an_empty_index_does_not_lead(new_cluster):
    cluster = new_cluster(volumes=2, master=SETTINGS, bus=True)
    fill(cluster, 'old', 30, 'first')
    cluster.master.stop()
    true = bring(cluster.master, None)
    restart_master(cluster)

    words = ['Volumes 1 and 2 hold 30 values that this index does not know', 'is its disk mounted?']
    wait_for(lambda: is_down(cluster, *words), 'refusal')
    assert_refuses(cluster, *words)
    assert 'volume add' not in cluster.health()['advice']
    assert 'hold' in cluster.dkvadm('volume', 'add', '1', '--yes', status=1)
    assert not cluster.health()['volumes']
    assert all_objects(cluster) == 30

    # Also after it was restarted, and with AutoAddVolumes=yes.
    cluster.master.stop()
    restart_master(cluster)
    wait_for(lambda: is_down(cluster, *words), 'refusal')
    cluster.master.stop()
    bring(cluster.master, true)
    cluster.master.start()
    cluster.wait_healthy()
    assert is_there(cluster, 'old', 30, 'first')


def test_the_index_of_another_cluster_does_not_lead(new_cluster):
    cluster = new_cluster(volumes=2, master=SETTINGS)
    other = new_cluster(volumes=2, master=SETTINGS)
    fill(cluster, 'old', 30, 'first')
    fill(other, 'other', 5, 'other')
    cluster.master.stop()
    other.master.stop()
    true = bring(cluster.master, other.master.data)
    restart_master(cluster)
    other.master.start()

    wait_for(lambda: is_down(cluster, 'Volumes 1 and 2 hold 30 values'), 'refusal')
    assert_refuses(cluster, 'is its disk mounted?')
    cluster.master.stop()
    bring(cluster.master, true)
    cluster.master.start()
    cluster.wait_healthy()
    other.wait_healthy()
    assert is_there(cluster, 'old', 30, 'first')
    assert is_there(other, 'other', 5, 'other')


def test_a_used_volume_is_not_added_to_another_cluster(new_cluster):
    cluster = new_cluster(volumes=1, master=SETTINGS, bus=True)
    other = new_cluster(volumes=2, master=SETTINGS)
    fill(cluster, 'old', 5, 'first')
    fill(other, 'other', 30, 'other')
    held = other.health(2)['objects']
    assert held > 0
    other[2].stop()
    stray = cluster.new_volume(2, Directory=other[2].data)
    stray.bus_address = cluster.bus.address
    stray.start()

    wait_for(lambda: 'another index' in cluster.health()['reason'], 'a word about the stranger')
    assert cluster.health()['status'] == 'degraded'
    assert [v['number'] for v in cluster.health()['volumes']] == [1]
    assert 'another index' in cluster.dkvadm('volume', 'add', '2', '--yes', status=1)
    fill(cluster, 'old', 5, 'second')
    assert cluster.health(2)['objects'] == held
    stray.stop()
    del cluster.volumes[2]
    other[2].start()
    other.wait_healthy()
    assert is_there(other, 'other', 30, 'other')


@pytest.mark.parametrize('name', ['objects.db', 'state.db', 'objects', 'values', 'mark', 'log.0000000001'])
def test_a_volume_without_one_of_its_files_does_not_start(new_cluster, name):
    cluster = new_cluster(volumes=1, master=SETTINGS)
    fill(cluster, 'small', 5, 'first')
    cluster.put('large', b'x' * 200000).expect(201)
    does_not_start_without(cluster[1], name)
    cluster.wait_healthy()
    assert is_there(cluster, 'small', 5, 'first')
    assert cluster.get('large').expect(200).body == b'x' * 200000


@pytest.mark.parametrize('name', ['index.db', 'garbage.db', 'strays.db', 'state.db',
                                  'log.0000000001'])
def test_a_master_without_one_of_its_files_does_not_start(new_cluster, name):
    cluster = new_cluster(volumes=1, master=SETTINGS)
    fill(cluster, 'small', 5, 'first')
    does_not_start_without(cluster.master, name)
    cluster.wait_healthy()
    assert is_there(cluster, 'small', 5, 'first')


def does_not_start_without(daemon, name):
    """Takes a file away and brings it back; in between, the daemon refuses to start."""
    daemon.stop()
    aside = daemon.data.with_name('aside')
    (daemon.data / name).rename(aside)
    before = {path: path.stat().st_size for path in daemon.data.rglob('*')}
    daemon.start()
    assert daemon.wait() == 1
    assert f"{name}' is missing" in daemon.log_tail() or f"/{name}'" in daemon.log_tail()
    assert {path: path.stat().st_size for path in daemon.data.rglob('*')} == before
    aside.rename(daemon.data / name)
    daemon.start()


def go_back(cluster, n):
    """Puts an older copy of volume N's directory in its place."""
    fill(cluster, 'old', 20, 'first')
    cluster[n].stop()
    backup = keep(cluster[n], 'backup')
    cluster.start(n)
    cluster.wait_healthy()
    fill(cluster, 'old', 5, 'second')
    for i in range(5, 10):
        cluster.delete(f'old{i}').expect(204)
    fill(cluster, 'new', 20, 'new')
    cluster.put('large', b'x' * 200000).expect(201)
    wait_for(lambda: cluster.health()['garbage'] == 0, 'old copies to be gone')
    cluster[n].stop()
    bring(cluster[n], backup)
    cluster.start(n)


def assert_all_read(cluster):
    assert is_there(cluster, 'old', 5, 'second')
    assert is_there(cluster, 'new', 20, 'new')
    for i in range(5, 10):
        cluster.get(f'old{i}').expect(404)
    assert cluster.get('large').expect(200).body == b'x' * 200000


def test_a_volume_that_went_back_is_brought_up_to_date(new_cluster):
    cluster = new_cluster(volumes=2, copies=2, master=SETTINGS)
    go_back(cluster, 2)
    wait_for(lambda: 'Volume 2 went back in time' in cluster.master.log_tail(), 'the event')
    for _ in range(3):
        assert_all_read(cluster)

    # All is made again, what was deleted is deleted again, and then all is well.
    wait_for(lambda: cluster.health()['status'] == 'ok' and
             cluster.health(1)['objects'] == cluster.health(2)['objects'] == 36, 'repair', 60)
    assert cluster.master.log_tail().count('the last one, on volume') == 0
    cluster[1].stop()
    wait_for(lambda: not cluster.health()['volumes'][0]['up'], 'volume 1 to be down')
    assert_all_read(cluster)
    cluster.start(1)
    cluster.wait_healthy()

    # It was noticed once.
    cluster.restart('master')
    assert cluster.master.log.read_text().count('Volume 2 went back in time') == 2  # and is over


def test_a_volume_that_went_back_and_had_the_only_copies_is_named(new_cluster):
    cluster = new_cluster(volumes=1, master=SETTINGS)
    go_back(cluster, 1)
    wait_for(lambda: 'Volume 1 went back in time' in cluster.master.log_tail(), 'the event')
    wait_for(lambda: "No good copy of key 'old4' is left" in cluster.master.log_tail(),
             'what is missing to be told')
    for i in range(10, 20):
        assert cluster.get(f'old{i}').expect(200).body == (f'first{i}' * 10).encode()
    for i in range(5):
        assert cluster.get(f'old{i}').status >= 500
    wait_for(lambda: cluster.health(1)['objects'] == 10, 'what was deleted to be deleted again', 60)
    fill(cluster, 'old', 5, 'second')
    fill(cluster, 'new', 20, 'new')
    cluster.put('large', b'x' * 200000).expect(204)
    wait_for(lambda: cluster.health()['status'] == 'ok', 'all to be well')


def test_copies_that_moved_in_the_lost_time_are_found(new_cluster):
    cluster = new_cluster(volumes=2, master=SETTINGS, bus=True)
    fill(cluster, 'old', 60, 'first')
    cluster.put('large', b'x' * 200000).expect(201)
    cluster.master.stop()
    backup = keep(cluster.master, 'backup')
    cluster.master.start()
    cluster.wait_healthy()
    cluster.new_volume(3).bus_address = cluster.bus.address
    cluster.start(3)
    cluster.wait_healthy()
    cluster.dkvadm('rebalance', '--yes')
    assert cluster.health(3)['objects'] > 0
    wait_for(lambda: cluster.health()['garbage'] == 0, 'old copies to be gone')
    fill(cluster, 'new', 10, 'new')
    cluster.master.stop()
    bring(cluster.master, backup)
    restart_master(cluster)
    wait_for(lambda: is_down(cluster, 'older than its volumes'), 'refusal')
    cluster.dkvadm('master', 'accept-rollback', '--yes')
    cluster.wait_healthy()

    # Nothing of this was overwritten, so all of it is there, wherever it is now.
    wait_for(lambda: all(cluster.get(f'old{i}').status == 200 for i in range(60)), 'all keys', 60)
    assert is_there(cluster, 'old', 60, 'first')
    assert cluster.get('large').expect(200).body == b'x' * 200000
    for i in range(10):
        cluster.get(f'new{i}').expect(404)


def test_a_volume_that_comes_back_and_has_seen_more_is_heard(new_cluster):
    cluster = new_cluster(volumes=2, master=SETTINGS, bus=True)
    roll_back(cluster, False)
    wait_for(lambda: is_down(cluster, 'older than its volumes'), 'refusal')
    cluster[2].stop()
    cluster.master.stop()
    restart_master(cluster)
    cluster.dkvadm('master', 'accept-rollback', '--yes')
    wait_for(lambda: cluster.health()['volumes'][0]['up'], 'volume 1')
    written = [i for i in range(20) if cluster.put(f'later{i}', 'x').status == 201]
    assert written

    # All that it has seen is below what was left out for it, so it just takes part again.
    cluster.start(2)
    cluster.wait_healthy()
    assert all(cluster.get(f'later{i}').expect(200).body == b'x' for i in written)
    for i in range(20):
        cluster.put(f'both{i}', 'y').expect(201)
