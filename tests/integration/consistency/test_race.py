# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several clients at one key."""

import concurrent.futures
import itertools
import threading
import time

import pytest

from cluster import wait_for
from link import Link

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


def version_of(answer):
    return int(answer['Dkv-Version'])


def test_the_write_that_ends_last_wins(cluster):
    """Whatever began last: the order is that of commits, and versions grow along it."""
    early = cluster.write_redirect('late')
    newer = cluster.put('late', b'newer').expect(201)
    late = cluster.request('PUT', early, b'early').expect(204)
    assert cluster.get('late').body == b'early'
    assert version_of(late) == version_of(newer) + 1
    assert version_of(cluster.head('late')) == version_of(late)


@pytest.mark.sanitize
@pytest.mark.parametrize('size', SIZES)
def test_a_conditional_write_overtakes_an_older_one(cluster, size):
    """Both are acknowledged, so that without a condition has to come last."""
    key = f'overtaken/{size}'
    a, b, c = (value_of(n, max(size, 100_000) if n == 3 else size) for n in (1, 2, 3))
    first = cluster.put(key, a).expect(201)
    url = cluster.write_redirect(key)
    with cluster.raw(cluster.volume_of(url)) as slow:
        target = url[url.index('/', len('http://')):]
        slow.head('PUT', target, 'Transfer-Encoding: chunked').chunk(c[:50_000])
        second = cluster.put(key, b, if_match=first['ETag']).expect(204)
        assert cluster.get(key).body == b
        third = slow.chunk(c[50_000:]).chunk(b'').answer().expect(204)

    answer = cluster.get(key).expect(200)
    assert answer.body == c
    assert version_of(first) < version_of(second) < version_of(third) == version_of(answer)
    cluster.put(key, a, if_match=second['ETag']).expect(412)


def test_a_slow_conditional_write_is_decided_when_it_ends(cluster):
    first = cluster.put('slow-condition', value_of(1, 8)).expect(201)
    big = value_of(2, 100_000)
    url = cluster.write_redirect('slow-condition')
    with cluster.raw(cluster.volume_of(url)) as slow:
        target = url[url.index('/', len('http://')):]
        slow.head('PUT', target, 'Transfer-Encoding: chunked',
                  f'If-Match: {first["ETag"]}').chunk(big)
        cluster.put('slow-condition', value_of(3, 8)).expect(204)
        slow.chunk(b'').answer().expect(412)
    assert cluster.get('slow-condition').body == value_of(3, 8)


def test_a_write_that_a_delete_overtakes_creates_the_key(cluster):
    cluster.put('deleted', b'1').expect(201)
    early = cluster.write_redirect('deleted')
    cluster.delete('deleted').expect(204)
    cluster.request('PUT', early, b'2').expect(201)
    assert cluster.get('deleted').body == b'2'


def test_a_post_by_redirect_is_decided_when_it_ends(cluster):
    early = cluster.write_redirect('posted', method='POST')
    cluster.post('posted', b'1').expect(201)
    cluster.request('POST', early, b'2').expect(409)
    assert cluster.get('posted').body == b'1'


def test_versions_are_the_same_everywhere(cluster):
    for size in SIZES:
        key = f'everywhere/{size}'
        cluster.put(key, value_of(1, size)).expect(201)
        written = cluster.put(key, value_of(2, size)).expect(204)
        where = cluster.where(key)
        listed = cluster.list(prefix=key)['keys']
        assert {version_of(written)} == {
            version_of(cluster.head(key)), version_of(cluster.get(key)),
            version_of(cluster.get(key, '?proxy=1')), version_of(cluster.get(key, '?verify=1')),
            where['version'], *(entry['version'] for entry in listed)}
        assert where['object'] != where['version']


class LosesAnswers(Link):
    """A link that is cut when the answer to a write comes."""

    async def _pump(self, reader, writer):
        while data := await reader.read(1 << 16):
            if data.startswith((b'HTTP/1.1 201', b'HTTP/1.1 204')):
                raise ConnectionResetError
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@pytest.mark.parametrize('body', [b'v' * 100_000, [b'v' * 50_000, b'v' * 50_000]],
                         ids=['sized', 'chunked'])
def test_a_write_whose_answer_is_lost_is_not_made_twice(new_cluster, body):
    """By the master, that is, which cannot know whether it was committed: another write may have
    come in between."""
    cluster = new_cluster(volumes=2)
    link = LosesAnswers(cluster[1].port)
    cluster[1].stop()
    cluster[1].settings['Url'] = f'http://127.0.0.1:{link.port}'
    cluster.start(1)
    wait_for(lambda: {v['number']: v for v in cluster.health()['volumes']}[1]['url'] ==
             cluster[1].settings['Url'], 'the address')
    key = next(f'key/{n}' for n in range(1000)
               if f':{link.port}/' in cluster.write_redirect(f'key/{n}'))
    first = version_of(cluster.put('other', b'1').expect(201))
    cluster.put(key, iter(body) if isinstance(body, list) else body).expect(503)
    wait_for(lambda: cluster.head(key).status == 200, 'it was committed')
    assert version_of(cluster.head(key)) == first + 1
    assert version_of(cluster.put('other', b'2').expect(204)) == first + 2
