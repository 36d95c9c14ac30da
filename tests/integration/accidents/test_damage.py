# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copies that are damaged, missing or unreadable: found, avoided, told, and made again."""

import contextlib
import http.client
import os
import pathlib

import pytest

from cluster import wait_for
from faults import FAST, FILE, INLINE_MAX, break_disk

MIB = 1 << 20
LARGE = 3 * MIB + 12345


def file_of(cluster, volume, value):
    """Where a volume has this value, if it has it in a file."""
    return next(path for path in (cluster[volume].data / 'objects').rglob('*')
                if path.is_file() and path.read_bytes()[:len(value)] == value)


def copies_of(cluster, key):
    return [copy['volume'] for copy in cluster.where(key)['copies']]


def flip(path: pathlib.Path, at=None):
    with open(path, 'r+b') as file:
        file.seek(path.stat().st_size // 2 if at is None else at)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


def remove(path):
    path.unlink()


def damage_of(cluster, key):
    return {copy['volume']: copy['damage'] for copy in cluster.where(key)['copies']
            if 'damage' in copy}


HARM = {'flipped': flip, 'truncated': truncate, 'removed': remove}
KINDS = {'flipped': 'damaged', 'truncated': 'damaged', 'removed': 'missing'}


def read_all(cluster, key, value, query='', n=8):
    """How many of N reads gave the value; none gives anything else that looks like it."""
    good = 0
    for _ in range(n):
        try:
            answer = cluster.get(key, query)
        except (http.client.IncompleteRead, ConnectionError):
            continue
        assert answer.status in (200, 307, 502, 503), answer
        assert answer.status != 200 or answer.body == value
        good += answer.status == 200
    return good


@pytest.mark.sanitize
@pytest.mark.parametrize('harm', HARM)
def test_readers_go_to_the_other_copy(new_cluster, harm):
    cluster = new_cluster(volumes=2, copies=2, master=FAST)
    value = os.urandom(FILE)
    cluster.put('k', value).expect(201)
    path = file_of(cluster, 1, value)
    HARM[harm](path)

    wait_for(lambda: read_all(cluster, 'k', value, '?verify=1', 4) == 4, 'the mark')
    assert read_all(cluster, 'k', value) == 8
    assert cluster[1].log.read_text().count("key 'k' on volume 1") == 1


def files_of(cluster, volume, value):
    """The files in which a volume has this value, whole."""
    return [path for path in (cluster[volume].data / 'objects').rglob('*')
            if path.is_file() and path.read_bytes()[:len(value)] == value]


def is_whole(cluster, key, value):
    """All copies are good, the same to the last byte, and nobody thinks otherwise."""
    files = [files_of(cluster, volume, value) for volume in copies_of(cluster, key)]
    return (not damage_of(cluster, key) and all(len(one) == 1 for one in files)
            and len({one[0].read_bytes() for one in files}) == 1)


def find_damage(cluster, key, value):
    """Reads until somebody has met the damaged copy."""
    wait_for(lambda: not read_all(cluster, key, value, '?verify=1', 1)
             or any(f"key '{key}'" in one.log.read_text() for one in cluster.volumes.values()),
             'somebody who meets the damaged copy')


@pytest.mark.sanitize
@pytest.mark.parametrize('harm', HARM)
@pytest.mark.parametrize('size', [FILE, LARGE])
def test_damaged_copy_is_made_again(new_cluster, harm, size):
    cluster = new_cluster(volumes=3, copies=2, master=FAST)
    value = os.urandom(size)
    cluster.put('k', value).expect(201)
    first, second = copies_of(cluster, 'k')
    HARM[harm](file_of(cluster, first, value))

    find_damage(cluster, 'k', value)
    wait_for(lambda: is_whole(cluster, 'k', value), 'the repair')
    assert sorted(copies_of(cluster, 'k')) == sorted([first, second])
    assert read_all(cluster, 'k', value, '?verify=1') == 8
    wait_for(lambda: cluster.health()['status'] == 'ok', 'good health')


def test_lost_values_are_named_and_come_back(new_cluster):
    """With one copy there is nothing to make it from; if the file is put back, it counts again."""
    cluster = new_cluster(volumes=1, master=FAST, bus=True)
    value = os.urandom(FILE)
    cluster.put('only', value).expect(201)
    cluster.put('good', b'good').expect(201)
    path = file_of(cluster, 1, value)
    path.rename(path.with_suffix('.away'))

    for query in '', '?verify=1', '?proxy=1':
        assert 'missing' in str(cluster.get('only', query).expect(502).json) or query == '?proxy=1'
    wait_for(lambda: 'damage' in str(cluster.where('only')['copies']), 'the mark')
    cluster.head('only').expect(200)
    wait_for(lambda: cluster.health()['status'] == 'degraded', 'bad health')
    assert "No good copy is left of the value of 'only'" in cluster.dkvadm('status', status=3)
    listed = cluster.dkvadm_json('damage')
    assert [(one['key'], one['volume'], one['damage'], one['lost']) for one in listed] == [
        ('only', 1, 'missing', True)]
    wait_for(lambda: 'repair' in cluster.dkvadm('job', 'list'), 'the repair')
    assert cluster.get('good').body == b'good'

    path.with_suffix('.away').rename(path)
    wait_for(lambda: not damage_of(cluster, 'only'), 'another look')
    assert cluster.get('only').expect(200).body == value
    wait_for(lambda: cluster.health()['status'] == 'ok', 'good health')
    assert 'No damaged copies' in cluster.dkvadm('damage')
    wait_for(lambda: cluster.dkvadm_json('job', 'list')[-1]['state'] == 'done', 'the end of the repair')

    path.unlink()
    cluster.get('only').expect(502)
    cluster.delete('only').expect(204)
    wait_for(lambda: cluster.health()['status'] == 'ok', 'good health')


@pytest.mark.sanitize
@pytest.mark.parametrize('size', [INLINE_MAX + 1, FILE, LARGE])
@pytest.mark.parametrize('harm', ['flipped', 'removed'])
def test_no_client_sees_the_damage(new_cluster, size, harm):
    """Whoever comes first is sent back to the master, which knows of another copy."""
    cluster = new_cluster(volumes=2, copies=2, master=FAST)
    curl = ['-s', '-L', '--max-redirs', '9', '-w', '%{http_code}']
    for query in '', '?proxy=1', '?verify=1':
        for n in range(4):
            key, value = f'{query[1:]}{n}', os.urandom(size)
            cluster.put(key, value).expect(201)
            path = file_of(cluster, 1 + n % 2, value)
            flip(path, 10) if harm == 'flipped' else path.unlink()
            for _ in range(2):
                done = cluster.curl(*curl, f'{cluster.url}/{key}{query}')
                assert done.stdout == value + b'200'
            part = cluster.curl(*curl, '-r', '5-14', f'{cluster.url}/{key}{query}')
            assert part.stdout == value[5:15] + b'206'


def test_damage_behind_the_first_block_breaks_the_connection(new_cluster):
    cluster = new_cluster(volumes=1, master=FAST)
    value = os.urandom(LARGE)
    cluster.put('k', value).expect(201)
    flip(file_of(cluster, 1, value), LARGE - 100)

    done = cluster.curl('-s', '-L', f'{cluster.url}/k')
    assert done.returncode == 18 and done.stdout == value[:len(done.stdout)]
    assert len(done.stdout) >= LARGE - 2 * 128 * 1024
    part = cluster.curl('-s', '-L', '-r', '1000000-2000000', f'{cluster.url}/k')
    assert part.stdout == value[1000000:2000001]
    last = cluster.curl('-s', '-L', '-w', '%{http_code}', '-r', '-10', f'{cluster.url}/k')
    assert last.stdout.endswith(b'502')


def read_by_curl(cluster, key, value, query=''):
    done = cluster.curl('-s', '-L', '-w', '%{http_code}', f'{cluster.url}/{key}{query}')
    assert done.stdout == value + b'200', done.stdout[-300:]


def test_a_disk_that_does_not_give_values_out(new_cluster, failing_disk):
    """It costs those copies, whoever asks, and no daemon."""
    cluster = new_cluster(volumes=2, copies=2, master=FAST)
    cluster[1].stop()
    strike = break_disk(cluster[1], failing_disk, 'values')
    cluster.start(1)
    cluster.wait_healthy()
    values = {f'k{n}': os.urandom(FILE) for n in range(4)}
    for key, value in values.items():
        cluster.put(key, value).expect(201)
    strike()

    def is_met():
        for query in '', '?verify=1', '?proxy=1':
            for key, value in values.items():
                read_by_curl(cluster, key, value, query)
        return 'cannot be read' in cluster[1].log.read_text()

    wait_for(is_met, 'a reader to be sent to the copies there')
    cluster[1].conf.with_suffix('.fault').unlink()
    for key, value in values.items():
        wait_for(lambda key=key, value=value: is_whole(cluster, key, value), f'the repair of {key}')
    assert cluster[1].process.poll() is None


@pytest.mark.parametrize('copies', [1, 2])
def test_drain_of_a_disk_that_does_not_give_values_out(new_cluster, failing_disk, copies):
    """It takes the other copies; of what has none it says which keys they are."""
    cluster = new_cluster(volumes=3, copies=copies, master=FAST, bus=True)
    cluster[1].stop()
    strike = break_disk(cluster[1], failing_disk, 'values')
    cluster.start(1)
    cluster.wait_healthy()
    values = {f'k{n}': os.urandom(FILE if n % 2 else 100) for n in range(20)}
    for key, value in values.items():
        cluster.put(key, value).expect(201)
    lost = {key for key, value in values.items()
            if copies_of(cluster, key) == [1] and len(value) == FILE}
    assert bool(lost) == (copies == 1)
    strike()

    cluster.dkvadm('volume', 'delete', 1, '--yes', status=1 if lost else 0)
    jobs = [job for job in cluster.dkvadm_json('job', 'list') if job['type'] == 'drain']
    assert jobs[-1]['state'] == ('failed' if lost else 'done')
    if lost:
        shown = cluster.dkvadm('job', 'show', jobs[-1]['id'] if 'id' in jobs[-1] else jobs[-1]['job'])
        assert {key for key in values if f'  {key}\n' in shown} == lost
    for key, value in values.items():
        if key not in lost:
            assert 1 not in copies_of(cluster, key)
            read_by_curl(cluster, key, value)


def test_repair_survives_kills(new_cluster):
    cluster = new_cluster(volumes=2, copies=2, master=FAST)
    values = {f'k{n}': os.urandom(FILE if n % 2 else LARGE) for n in range(12)}
    for key, value in values.items():
        cluster.put(key, value).expect(201)
    for n, (key, value) in enumerate(values.items()):
        [flip, truncate, remove][n % 3](file_of(cluster, 1, value))

    for who in 1, 'master', 2, 1, 'master':
        with contextlib.suppress(OSError, http.client.HTTPException):
            for key in values:
                cluster.get(key, '?verify=1')
        cluster.kill(who)
        cluster.start(who)
        cluster.wait_healthy()

    def is_repaired():
        with contextlib.suppress(OSError, http.client.HTTPException):
            for key in values:
                cluster.get(key, '?verify=1')
        return all(is_whole(cluster, key, value) for key, value in values.items())

    wait_for(is_repaired, 'the repair')
    for key, value in values.items():
        read_by_curl(cluster, key, value)
    wait_for(lambda: cluster.health()['status'] == 'ok', 'good health')


def test_two_of_three_copies_and_files_that_were_swapped(new_cluster):
    cluster = new_cluster(volumes=3, copies=3, master=FAST)
    values = {key: os.urandom(LARGE) for key in ('a', 'b')}
    for key, value in values.items():
        cluster.put(key, value).expect(201)
    for volume in 1, 2:
        first, second = (file_of(cluster, volume, value) for value in values.values())
        first.rename(first.with_suffix('.tmp'))
        second.rename(first)
        first.with_suffix('.tmp').rename(second)

    for _ in range(4):
        for key, value in values.items():
            read_by_curl(cluster, key, value)

    def is_repaired():
        for key, value in values.items():
            read_by_curl(cluster, key, value, '?verify=1')
        return all(is_whole(cluster, key, value) for key, value in values.items())

    wait_for(is_repaired, 'the repair')
