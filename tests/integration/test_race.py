# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several clients at one key."""

import concurrent.futures
import itertools
import threading
import time

import pytest

SECONDS = 1.5
SIZES = [100, 100000]


def value_of(n, size):
    return b'%08d' % n * (size // 8)


def is_whole(value):
    return value == value[:8] * (len(value) // 8) and len(value) > 0


def run(*functions):
    """Calls each function again and again on a thread of its own, with a running number."""
    numbers = itertools.count(1)
    end = time.monotonic() + SECONDS

    def loop(function):
        count = 0
        while time.monotonic() < end:
            function(next(numbers))
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        assert min(pool.map(loop, functions)) > 0


@pytest.mark.sanitize
@pytest.mark.parametrize('size', SIZES)
def test_writers_and_readers(cluster, size):
    """The last acknowledged version wins; a reader gets one whole version, and none older than
    what was acknowledged before it asked."""
    key = f'writers/{size}'
    acknowledged, lock = {}, threading.Lock()
    cluster.put(key, value_of(0, size)).expect(201)

    def write(n):
        version = int(cluster.put(key, value_of(n, size)).expect(204)['Dkv-Version'])
        with lock:
            acknowledged[version] = n

    def read(_, query=''):
        with lock:
            newest = max(acknowledged, default=0)
        answer = cluster.get(key, query).expect(200)
        assert is_whole(answer.body) and len(answer.body) == size // 8 * 8
        assert int(answer['Dkv-Version']) >= newest

    run(write, write, read, read, lambda n: read(n, '?proxy=1'))
    assert cluster.get(key).body == value_of(acknowledged[max(acknowledged)], size)


@pytest.mark.sanitize
@pytest.mark.parametrize('size', SIZES)
def test_writer_and_deleter(cluster, size):
    key = f'deleter/{size}'

    def read(_):
        answer = cluster.get(key).expect(200, 404)
        assert answer.status == 404 or is_whole(answer.body)

    run(lambda n: cluster.put(key, value_of(n, size)).expect(201, 204),
        lambda _: cluster.delete(key).expect(204, 404), read)

    cluster.delete(key).expect(204, 404)
    cluster.get(key).expect(404)


@pytest.mark.sanitize
def test_only_one_creates(cluster):
    """Of those who create the same key one succeeds, in each round."""
    keys = [f'create/{n}' for n in range(50)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for key in keys:
            answers = pool.map(cluster.post, [key] * 4, [b'0', b'1', b'2', b'3'])
            statuses = [answer.status for answer in answers]
            winners = [n for n, status in enumerate(statuses) if status == 201]
            assert statuses.count(409) == 3
            assert len(winners) == 1
            assert cluster.get(key).body == b'%d' % winners[0]


@pytest.mark.sanitize
def test_compare_and_swap_loses_no_update(cluster):
    """Counters made of If-Match: as many increments arrive as were acknowledged."""
    cluster.put('counter', b'0').expect(201)

    def increment(_):
        old = cluster.get('counter').expect(200)
        new = b'%d' % (int(old.body) + 1)
        done = cluster.put('counter', new, if_match=old['ETag']).expect(204, 412)
        succeeded.append(done.status == 204)

    succeeded = []
    run(increment, increment, increment)
    assert int(cluster.get('counter').body) == sum(succeeded)


def test_redirect_before_an_overwrite_leads_to_the_old_version(cluster):
    for size in SIZES:
        cluster.put('slow', value_of(1, size)).expect(201, 204)
        url = cluster.redirect('slow')
        cluster.put('slow', value_of(2, size)).expect(204)
        assert cluster.request('GET', url).expect(200).body == value_of(1, size)
        url = cluster.redirect('slow')
        cluster.delete('slow').expect(204)
        assert cluster.request('GET', url).expect(200).body == value_of(2, size)


def test_late_upload_does_not_beat_a_newer_one(cluster):
    """The write that began last wins, whatever arrives last."""
    early = cluster.write_redirect('late')
    cluster.put('late', b'newer').expect(201)
    cluster.request('PUT', early, b'early').expect(201, 204)
    assert cluster.get('late').body == b'newer'
