# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens when machines, disks and bits fail. Each test makes one thing go wrong."""

import contextlib
import http.client
import os
import signal
import subprocess

import pytest

from cluster import path_of, wait_for
from faults import BELIEVING, BRIEF, FAST, FILE, INLINE, INLINE_MAX, break_disk, flip


# Nobody there

@pytest.mark.sanitize
def test_no_volume_at_all(new_cluster):
    cluster = new_cluster(volumes=0, wait=False)
    wait_for(lambda: answers(cluster), 'the master')
    cluster.put('k', b'v').expect(503)
    cluster.get('k').expect(404)
    health = cluster.request('GET', '/-/health')
    assert (health.status, health.json['status']) == (503, 'down')
    assert health.json['reason'] == 'No volume is known.'
    assert 'dkvadm volume create' in health.json['advice']


def test_volume_that_nobody_activated(new_cluster):
    cluster = new_cluster(volumes=1, master={'AutoAddVolumes': 'no'}, wait=False)
    wait_for(lambda: answers(cluster) and cluster.health()['volumes'], 'the report of a volume')
    health = cluster.health()
    assert health['volumes'][0]['state'] == 'new'
    assert health['reason'] == 'No volume is active. Volume 1 waits to be added.'
    assert health['advice'] == 'dkvadm volume add 1'
    cluster.put('k', b'v').expect(503)


def answers(cluster):
    try:
        return cluster.request('GET', '/-/health').status in (200, 503)
    except OSError:
        return False


@pytest.mark.sanitize
@pytest.mark.parametrize('query', ['', '?proxy=1'])
def test_all_copies_on_dead_volumes(new_cluster, query):
    cluster = new_cluster(volumes=3, copies=2, master=BRIEF)
    cluster.put('k', b'v').expect(201)
    homes = [copy['volume'] for copy in cluster.where('k')['copies']]

    cluster.kill(homes[0])
    cluster.wait_healthy()
    assert cluster.get('k', query).expect(200).body == b'v'
    cluster.kill(homes[1])
    cluster.wait_healthy()
    cluster.get('k', query).expect(503)
    cluster.head('k').expect(200)  # the index knows it still
    assert [copy['up'] for copy in cluster.where('k')['copies']] == [False, False]

    cluster.start(homes[1])
    cluster.wait_healthy()
    assert cluster.get('k', query).expect(200).body == b'v'


@pytest.mark.sanitize
@pytest.mark.parametrize('size', [INLINE, FILE])
def test_master_cannot_reach_the_volume_during_a_relay(new_cluster, size):
    cluster = new_cluster(volumes=1, master=BELIEVING)
    cluster.put('k', b'old').expect(201)
    cluster.kill(1)

    cluster.put('k', b'n' * size).expect(503)
    cluster.put('k', iter([b'n' * size])).expect(503)
    cluster.get('k', '?proxy=1').expect(503)

    cluster.start(1)
    cluster.wait_healthy()
    assert cluster.get('k').body == b'old'
    cluster.wait_clean()


def test_volume_dies_in_the_middle_of_a_relay(new_cluster):
    cluster = new_cluster(volumes=1, master=BELIEVING)
    cluster.put('k', b'old').expect(201)
    with cluster.raw().head('PUT', '/k', 'Transfer-Encoding: chunked') as raw:
        raw.chunk(b'new')
        cluster.kill(1)
        raw.chunk(b'').answer().expect(503)
    cluster.start(1)
    cluster.wait_healthy()
    assert cluster.get('k').body == b'old'
    cluster.wait_clean()


@pytest.mark.sanitize
def test_dead_volume_is_avoided_by_new_writes(new_cluster):
    cluster = new_cluster(volumes=3, master=BRIEF)
    cluster.kill(2)
    cluster.wait_healthy()
    health = cluster.health()
    assert health['status'] == 'degraded'
    assert health['reason'].startswith('Volume 2 is down since ')
    assert 'dkv-volume@2' in health['advice']
    for n in range(30):
        cluster.put(f'{n}', b'v').expect(201)
        assert cluster.where(f'{n}')['copies'][0]['volume'] != 2


@pytest.mark.sanitize
def test_volume_waits_for_a_master_that_is_away(new_cluster):
    cluster = new_cluster(volumes=1, master=BRIEF)
    cluster.put('k', b'v').expect(201)
    url = cluster.redirect('k')
    cluster.kill('master')

    assert cluster.request('GET', url).expect(200).body == b'v'
    wait_for(lambda: not cluster.health(1)['master'], 'the volume to notice')
    cluster.start('master')
    cluster.wait_healthy()
    assert cluster.get('k').body == b'v'


def test_master_dies_before_the_commit(new_cluster):
    """The volume has the value, but nobody has been told that it counts."""
    cluster = new_cluster(volumes=1, master=BRIEF)
    cluster.put('k', b'old').expect(201)
    url = cluster.write_redirect('k')
    cluster.kill('master')
    cluster.request('PUT', url, b'new').expect(503)

    cluster.start('master')
    cluster.wait_healthy()
    assert cluster.get('k').body == b'old'
    cluster.wait_clean()


# Copies

def half_a_put(cluster, key, size):
    """Begins a PUT that is relayed. Returns the connection, and the volume that it goes to."""
    first = cluster.volume_of(cluster.write_redirect(key))
    raw = cluster.raw().head('PUT', path_of(key), 'Transfer-Encoding: chunked')
    return raw.chunk(b'n' * size), first


@pytest.mark.sanitize
@pytest.mark.parametrize('size', [INLINE, FILE])
def test_majority_is_enough(new_cluster, size):
    cluster = new_cluster(volumes=3, copies=3, master=BELIEVING)
    cluster.put('k', b'old').expect(201)
    raw, first = half_a_put(cluster, 'k', size)
    victim = next(n for n in cluster.volumes if n != first)
    with raw:
        cluster.kill(victim)
        raw.chunk(b'').answer().expect(204)

    homes = {copy['volume'] for copy in cluster.where('k')['copies']}
    assert homes == set(cluster.volumes) - {victim}
    assert cluster.get('k').body == b'n' * size
    cluster.start(victim)
    cluster.wait_healthy()
    for _ in range(5):  # whichever volume it is sent to
        assert cluster.get('k').body == b'n' * size
    cluster.wait_clean()


@pytest.mark.sanitize
@pytest.mark.parametrize('copies, victims', [(2, 1), (3, 2)])
def test_less_than_the_majority_fails(new_cluster, copies, victims):
    cluster = new_cluster(volumes=copies, copies=copies, master=BELIEVING)
    cluster.put('k', b'old').expect(201)
    raw, first = half_a_put(cluster, 'k', FILE)
    dead = [n for n in cluster.volumes if n != first][:victims]
    with raw:
        for victim in dead:
            cluster.kill(victim)
        raw.chunk(b'').answer().expect(503)

    assert cluster.get('k', '?proxy=1').expect(200, 503).body != b'n' * FILE
    for victim in dead:
        cluster.start(victim)
    cluster.wait_healthy()
    assert cluster.get('k').body == b'old'
    cluster.wait_clean()


def test_first_volume_dies(new_cluster):
    """The one that passes the value on: nothing is acknowledged by itself."""
    cluster = new_cluster(volumes=3, copies=3, master=BELIEVING)
    cluster.put('k', b'old').expect(201)
    raw, first = half_a_put(cluster, 'k', FILE)
    with raw:
        cluster.kill(first)
        status = raw.chunk(b'').answer().expect(204, 503).status
    cluster.start(first)
    cluster.wait_healthy()
    assert cluster.get('k').body == (b'old' if status == 503 else b'n' * FILE)
    cluster.wait_clean()


def test_volume_that_hangs_is_not_waited_for_forever(new_cluster):
    cluster = new_cluster(volumes=1, volume={'TimeoutSec': '2s'},
                          master={**BELIEVING, 'TimeoutSec': '2s', 'GraceSec': '3s'})
    cluster.put('k', b'old').expect(201)
    cluster.kill(1, signal.SIGSTOP)
    cluster.put('k', b'new').expect(408, 503)
    cluster.kill(1, signal.SIGCONT)
    cluster.wait_healthy()
    cluster.wait_clean()
    assert cluster.get('k').body in (b'old', b'new')


# A full disk

@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for 64 MiB of values above what a volume keeps in reserve."""
    path = tmp_path / 'small'
    path.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=320M', 'tmpfs', path]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip('needs to mount a small tmpfs')
    yield path
    subprocess.run(['umount', '-l', path], check=True)


@pytest.mark.parametrize('how', ['relayed', 'redirected', 'chunked'])
@pytest.mark.parametrize('size', [30000, 5 << 20])
def test_volume_full(small_disk, new_cluster, how, size):
    cluster = new_cluster(volumes=1, data={1: small_disk / 'data'}, master=FAST)
    cluster.put('precious', b'old').expect(201)

    def put(key):
        value = bytes([len(key)]) * size
        if how == 'redirected':
            answer = cluster.ask_for_write(key)  # the master may know already that there is no room
            return answer if answer.status == 507 else cluster.request('PUT', answer['Location'], value)
        return cluster.put(key, iter([value]) if how == 'chunked' else value)

    stored = 0
    while put(f'filler/{stored}').expect(201, 507).status == 201:
        stored += 1
        assert stored * size < 64 << 20
    assert stored * size > 4 << 20, 'gave up far too early'

    put('precious').expect(507)
    assert cluster.get('precious').expect(200).body == b'old'
    for n in range(0, stored, 20):
        assert len(cluster.get(f'filler/{n}').expect(200).body) == size

    for n in range(stored):  # there is always room to delete
        cluster.delete(f'filler/{n}').expect(204)
    cluster.wait_clean()
    assert cluster.get('precious').body == b'old'
    wait_for(lambda: cluster.put('after', b'a').expect(201, 507).status == 201, 'room again')


def test_full_volume_does_not_stop_the_others(small_disk, new_cluster):
    cluster = new_cluster(volumes=2, data={1: small_disk / 'data'})
    value = b'x' * (4 << 20)

    def eight_are_stored():
        return all(cluster.put(f'late/{n}', value).expect(201, 204, 507).status != 507
                   for n in range(8))

    for n in range(40):
        cluster.put(f'{n}', value).expect(201, 507)
    wait_for(eight_are_stored, 'writes to go to the volume with room')


def test_start_on_a_full_disk_says_so(small_disk, new_cluster):
    """After a crash, so that there is something to recover; and goes on once there is room."""
    cluster = new_cluster(volumes=1, data={1: small_disk / 'data'})
    for n in range(200):
        cluster.put(f'{n}', b'x' * 30000).expect(201)
    cluster.kill(1)

    filler = small_disk / 'filler'
    with open(filler, 'wb', buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b'x' * 65536)
    volume = cluster[1]
    volume.start()
    assert volume.wait() != 0
    assert 'No space left on device' in volume.log_tail()

    filler.unlink()
    cluster.start(1)
    cluster.wait_healthy()
    assert cluster.get('199').expect(200).body == b'x' * 30000


# Flipped bits

def never_served(cluster, key, query):
    """Asks for a damaged value: an error says so, or the connection is cut before the end."""
    try:
        answer = cluster.get(key, query)
    except (http.client.IncompleteRead, ConnectionError):
        return
    assert 'damaged' in str(answer.expect(502).json)


@pytest.mark.sanitize
def test_flipped_bit_in_an_inline_value(new_cluster):
    cluster = new_cluster(volumes=1)
    value = os.urandom(INLINE)
    cluster.put('bad', value).expect(201)
    for n in range(300):
        cluster.put(f'good/{n}', b'%d' % n * 200).expect(201)
    cluster[1].stop()
    flip(cluster[1].data, value)
    cluster.start(1)
    cluster.wait_healthy()

    for query in '', '?proxy=1', '?verify=1':
        never_served(cluster, 'bad', query)
    assert 'bad' in cluster[1].log.read_text()
    served = [cluster.get(f'good/{n}').status for n in range(300)]
    assert set(served) == {200}, 'only the damaged one is lost'
    cluster.put('bad', b'new').expect(204)
    assert cluster.get('bad').body == b'new'


@pytest.mark.sanitize
@pytest.mark.parametrize('query', ['?verify=1', '?proxy=1'])
def test_flipped_bit_in_a_file(new_cluster, query):
    cluster = new_cluster(volumes=1)
    value = os.urandom(FILE)
    cluster.put('bad', value).expect(201)
    cluster.put('good', value[1:]).expect(201)
    assert cluster.get('bad', query).body == value
    flip(cluster[1].data, value)

    never_served(cluster, 'bad', query)
    assert 'bad' in cluster[1].log.read_text() + cluster.master.log.read_text()
    assert cluster.get('good', query).expect(200).body == value[1:]


def test_damage_is_told_once_however_often_it_is_read(new_cluster):
    cluster = new_cluster(volumes=1)
    value = os.urandom(FILE)
    cluster.put('bad', value).expect(201)
    flip(cluster[1].data, value)
    for _ in range(20):
        never_served(cluster, 'bad', '?verify=1')
    lines = [line for daemon in cluster.daemons for line in daemon.log.read_text().splitlines()
             if 'damaged' in line or "'bad'" in line]
    assert 1 <= len(lines) <= 4, lines  # the copy and the value, on both sides


@pytest.mark.sanitize
def test_flipped_bit_in_an_index_page(new_cluster):
    cluster = new_cluster(volumes=1)
    for n in range(1000):
        cluster.put(f'key/{n:04}', b'%d' % n).expect(201)
    cluster.master.stop()
    flip(cluster.master.data, b'key/0500')
    cluster.start('master')
    cluster.wait_healthy()

    assert 'damaged' in str(cluster.get('key/0500').expect(502).json)
    statuses = [cluster.get(f'key/{n:04}').status for n in range(1000)]
    assert set(statuses) == {200, 502} and statuses.count(502) < 200
    assert cluster.get('key/0001').body == b'1'
    cluster.put('another', b'1').expect(201)


# A disk that fails

@pytest.mark.parametrize('who', ['master', 1])
@pytest.mark.parametrize('size', [INLINE, FILE])
def test_failed_flush_is_the_end(new_cluster, failing_disk, who, size):
    """A flush that failed may seem to work the next time although data is lost: no daemon goes
    on after it."""
    cluster = new_cluster(volumes=1, master=BELIEVING)
    cluster[who].stop()
    strike = break_disk(cluster[who], failing_disk, 'sync')
    cluster.start(who)
    cluster.wait_healthy()
    cluster.put('k', b'old').expect(201)

    strike()
    try:
        cluster.put('k', b'n' * size).expect(503)
    except (http.client.HTTPException, ConnectionError):
        assert who == 'master'
    assert cluster[who].wait() == -signal.SIGABRT
    assert 'Input/output error' in cluster[who].log_tail(5)

    cluster[who].environment = {}
    cluster.start(who)
    cluster.wait_healthy()
    assert cluster.get('k').body in (b'old', b'n' * size)
    cluster.put('k', b'new').expect(204)
    cluster.wait_clean()


@pytest.mark.parametrize('who', ['master', 1])
def test_failed_read_fails_what_needs_it(new_cluster, failing_disk, who):
    cluster = new_cluster(volumes=1, master=BELIEVING,
                          volume={'CacheSize': '1M'})
    for n in range(2000):
        cluster.put(f'{n}', b'%04d' % n * 250).expect(201)
    cluster[who].stop()
    strike = break_disk(cluster[who], failing_disk, 'read')
    cluster.start(who)
    cluster.wait_healthy()

    strike()
    statuses = {cluster.get(f'{n}').status for n in range(0, 2000, 100)}
    assert statuses & {502, 503} and statuses <= {200, 502, 503}

    cluster[who].conf.with_suffix('.fault').unlink()
    cluster[who].stop()
    cluster[who].environment = {}
    cluster.start(who)
    cluster.wait_healthy()
    for n in range(0, 2000, 100):
        assert cluster.get(f'{n}').expect(200).body == b'%04d' % n * 250
