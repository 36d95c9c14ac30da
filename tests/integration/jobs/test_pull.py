# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copies that are moved from one volume to another: the call "pull" at the target, /-/fetch at the source."""

import concurrent.futures
import os
import socket
import struct
import threading
import time

import pytest

import channel
import signed
from cluster import DEADLINE, SANITIZED, wait_for
from faults import FAST, FILE, INLINE, INLINE_MAX, flip

MIB = 1 << 20
LARGE = 16 * MIB


class Copy:
    """One that there is, as the master sees it."""

    def __init__(self, cluster, key, value):
        self.key, self.value = key, value
        where = cluster.where(key)
        self.version, self.size = where['object'], len(value)
        self.volume = where['copies'][0]['volume']


def put_on(cluster, volume, values, prefix='k'):
    """Writes the values under keys whose place is VOLUME."""
    copies, n = [], 0
    for value in values:
        while cluster.volume_of(cluster.write_redirect(f'{prefix}{n}')) != volume:
            n += 1
        cluster.put(f'{prefix}{n}', value).expect(201)
        copies.append(Copy(cluster, f'{prefix}{n}', value))
        n += 1
    return copies


def url_of(cluster, volume):
    return f'http://127.0.0.1:{cluster[volume].port}'


def pull(cluster, copies, source=None, target=2, after=600, confirmed=(), rate=0,
         replace=False):
    """Pulls; returns the error of each. SOURCE is a URL, or is what the copies say."""
    items = [(c.version, c.size, source or url_of(cluster, c.volume), c.key) for c in copies]
    stores = {url: signed.store_of(cluster, copy.volume)
              for (_, _, url, _), copy in zip(items, copies) if cluster[copy.volume].process}
    body = signed.pull_body(items, time.time() + after, confirmed, rate, replace, stores)
    return signed.errors(signed.call(cluster, target, 'pull', body).expect(200).body)


def served(cluster, copy, volume=2, query=''):
    return cluster.request('GET', signed.read_url(cluster, volume, copy.key, copy.version) + query)


def assert_there(cluster, copies, volume=2):
    for copy in copies:
        assert served(cluster, copy, volume, '&verify=1').expect(200).body == copy.value


class Gate:
    """Stands before a volume: lets its answer through up to so many bytes, then says so and waits
    until it is told to cut the connection or to let the rest through."""

    def __init__(self, port, limit):
        self.port, self.limit = port, limit
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.url = f'http://127.0.0.1:{self.listener.getsockname()[1]}'
        self.reached, self.go = threading.Event(), threading.Event()
        self.ends = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            client, _ = self.listener.accept()
            server = socket.create_connection(('127.0.0.1', self.port))
        except OSError:
            return
        self.ends = [client, server]
        threading.Thread(target=self.forward, args=(client, server), daemon=True).start()
        self.forward(server, client, self.limit)

    def forward(self, source, target, left=1 << 60):
        try:
            while data := source.recv(min(left, 1 << 16)):
                target.sendall(data)
                left -= len(data)
                if left == 0:
                    self.reached.set()
                    assert self.go.wait(DEADLINE)
                    left = 1 << 60
        except OSError:
            pass
        self.cut()

    def release(self):
        self.go.set()

    def cut(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        self.listener.close()


def in_background(function, *arguments, **more):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    future = pool.submit(function, *arguments, **more)
    pool.shutdown(wait=False)
    return future


@pytest.mark.sanitize
def test_all_sizes(new_cluster):
    cluster = new_cluster(volumes=2)
    sizes = [0, 1, INLINE, INLINE_MAX, INLINE_MAX + 1, FILE, MIB, MIB + 1, LARGE]
    copies = put_on(cluster, 1, [os.urandom(size) for size in sizes])
    assert pull(cluster, copies) == [''] * len(copies)
    assert_there(cluster, copies)
    assert cluster.health(2)['pending'] == len(copies)
    assert cluster.health(2)['objects'] == len(copies)

    assert pull(cluster, [], confirmed=[c.version for c in copies]) == []
    assert cluster.health(2)['pending'] == 0


@pytest.mark.sanitize
def test_what_describes_the_value_comes_along(new_cluster):
    cluster = new_cluster(volumes=2)
    for size in INLINE, FILE:
        key, value = f'k{size}', os.urandom(size)
        cluster.put(key, value, content_type='a/b', dkv_meta_colour='red').expect(201)
        copy = Copy(cluster, key, value)
        other = 3 - copy.volume
        assert pull(cluster, [copy], target=other) == ['']
        first, second = served(cluster, copy, copy.volume), served(cluster, copy, other)
        for name in 'ETag', 'Content-Type', 'Dkv-Meta-Colour', 'Dkv-Version', 'Last-Modified':
            assert first[name] == second[name]
        assert second['Dkv-Meta-Colour'] == 'red'


@pytest.mark.sanitize
def test_from_several_sources(new_cluster):
    cluster = new_cluster(volumes=3)
    copies = [copy for volume in (1, 3, 1, 3)
              for copy in put_on(cluster, volume, [os.urandom(INLINE), os.urandom(FILE)],
                                 f'{volume}-{os.urandom(4).hex()}')]
    assert pull(cluster, copies) == [''] * len(copies)
    assert_there(cluster, copies)


@pytest.mark.sanitize
def test_pull_comes_again(new_cluster):
    """Also at the same time, and of what is there for good already."""
    cluster = new_cluster(volumes=2)
    copies = put_on(cluster, 1, [os.urandom(INLINE), os.urandom(FILE), os.urandom(LARGE)])
    first, second = (in_background(pull, cluster, copies) for _ in range(2))
    assert first.result() == second.result() == [''] * 3
    assert pull(cluster, copies) == [''] * 3
    assert pull(cluster, copies, source='http://127.0.0.1:1') == [''] * 3  # there is nothing to do
    assert_there(cluster, copies)
    assert cluster.health(2)['objects'] == 3

    assert pull(cluster, copies, target=1, source='http://127.0.0.1:1') == [''] * 3
    assert_there(cluster, copies, 1)


@pytest.mark.sanitize
def test_damaged_sources(new_cluster):
    """What is damaged is refused, and the others arrive."""
    cluster = new_cluster(volumes=2)
    sizes = [INLINE, INLINE, FILE, FILE, LARGE, INLINE]
    copies = put_on(cluster, 1, [os.urandom(size) for size in sizes])
    more = put_on(cluster, 1, [os.urandom(LARGE)], 'm')
    bad = [copies[1], copies[3], copies[4], more[0]]
    cluster[1].stop()
    for copy in bad:
        flip(cluster[1].data, copy.value[1000 - 64:1000])
    cluster.start(1)
    cluster.wait_healthy()

    results = pull(cluster, copies)
    assert [results[1], results[3], results[4]] == ['EBADMSG'] * 3
    good = [copy for copy, result in zip(copies, results) if not result]
    assert copies[2] in good
    assert set(results) == {'', 'EBADMSG'}  # who shares a page with a damaged value goes with it
    assert pull(cluster, more) == ['EBADMSG']
    assert_there(cluster, good)
    assert cluster.health(2)['pending'] == cluster.health(2)['objects'] == len(good)


@pytest.mark.sanitize
def test_damaged_copy_is_in_the_way(new_cluster):
    cluster = new_cluster(volumes=2)
    copies = put_on(cluster, 1, [os.urandom(FILE), os.urandom(FILE)])
    assert pull(cluster, copies) == ['', '']
    flip(cluster[2].data, copies[0].value)
    assert pull(cluster, copies) == ['EEXIST', '']


@pytest.mark.sanitize
def test_what_the_source_does_not_have(new_cluster):
    cluster = new_cluster(volumes=2)
    copies = put_on(cluster, 1, [os.urandom(size) for size in (INLINE, FILE, INLINE, LARGE)])
    copies[0].version += 2
    copies[1].key += 'x'
    copies[3].size += 1
    assert pull(cluster, copies) == ['ENOENT', 'EBADMSG', '', 'EBADMSG']
    assert_there(cluster, copies[2:3])
    assert cluster.health(2)['pending'] == cluster.health(2)['objects'] == 1


@pytest.mark.sanitize
def test_no_source(new_cluster):
    cluster = new_cluster(volumes=2, master={'VolumeTimeoutSec': '1h'})
    copies = put_on(cluster, 1, [os.urandom(INLINE), os.urandom(FILE)])
    cluster.kill(1)
    assert pull(cluster, copies) == ['EHOSTDOWN'] * 2
    assert pull(cluster, copies, source=cluster.url) != ['', '']  # the master is no volume
    assert cluster.health(2)['pending'] == cluster.health(2)['objects'] == 0


@pytest.mark.sanitize
@pytest.mark.parametrize('how', ['cut', 'kill'])
def test_source_goes_away_in_the_middle(new_cluster, how):
    cluster = new_cluster(volumes=2, master={'VolumeTimeoutSec': '1h'})
    copies = put_on(cluster, 1, [os.urandom(size) for size in (INLINE, FILE, LARGE, INLINE)])
    with Gate(cluster[1].port, FILE + MIB) as gate:
        result = in_background(pull, cluster, copies, gate.url)
        assert gate.reached.wait(DEADLINE)
        wait_for(lambda: cluster.health(2)['objects'] == 2, 'the first two')
        if how == 'kill':
            cluster.kill(1)
            gate.release()
        else:
            gate.cut()
        assert result.result(DEADLINE) == ['', '', 'ECONNRESET', 'ECONNRESET']
    assert_there(cluster, copies[:2])
    assert cluster.health(2)['pending'] == cluster.health(2)['objects'] == 2

    if how == 'kill':
        cluster.start(1)
        cluster.wait_healthy()
    assert pull(cluster, copies) == [''] * 4
    assert_there(cluster, copies)


@pytest.mark.sanitize
def test_target_dies_in_the_middle(new_cluster):
    """Nothing is there by halves, and what was stored is asked about and goes."""
    cluster = new_cluster(volumes=2, master={**FAST, 'VolumeTimeoutSec': '1h'})
    copies = put_on(cluster, 1, [os.urandom(size) for size in (INLINE, FILE, LARGE)])
    newer = put_on(cluster, 2, [b'newer'], 'newer')  # a mark that is above what is pulled
    wait_for(lambda: cluster.health(2)['pending'] == 0, 'nothing pending')
    with Gate(cluster[1].port, FILE + MIB) as gate:
        result = in_background(pull, cluster, copies, gate.url)
        assert gate.reached.wait(DEADLINE)
        wait_for(lambda: cluster.health(2)['objects'] == 3, 'the first two')
        cluster.kill(2)
        with pytest.raises((OSError, EOFError)):
            result.result(DEADLINE)

    cluster.start(2)
    cluster.wait_healthy()
    assert served(cluster, copies[2]).status == 502
    cluster.wait_clean()
    assert cluster.health(2)['objects'] == 1
    assert not [path for path in cluster[2].data.glob('objects/*/*')]
    assert cluster.get(newer[0].key).body == newer[0].value
    for copy in copies:
        assert cluster.get(copy.key).body == copy.value


@pytest.mark.sanitize
def test_deadline(new_cluster):
    cluster = new_cluster(volumes=2)
    copies = put_on(cluster, 1, [os.urandom(size) for size in (INLINE, FILE, LARGE, INLINE)])
    assert pull(cluster, copies, after=-1) == ['ESTALE'] * 4
    assert cluster.health(2)['pending'] == cluster.health(2)['objects'] == 0

    with Gate(cluster[1].port, FILE + MIB) as gate:
        begun = time.time()
        result = in_background(pull, cluster, copies, gate.url, after=2)
        assert gate.reached.wait(DEADLINE)
        wait_for(lambda: time.time() > begun + 2.1, 'the deadline')
        gate.release()
        assert result.result(DEADLINE) == ['', '', 'ESTALE', 'ESTALE']
    assert cluster.health(2)['pending'] == cluster.health(2)['objects'] == 2


def test_rate(new_cluster):
    cluster = new_cluster(volumes=2)
    copies = put_on(cluster, 1, [os.urandom(4 * MIB)])
    begun = time.monotonic()
    assert pull(cluster, copies, rate=2 * MIB) == ['']
    assert time.monotonic() - begun > 1.5
    assert_there(cluster, copies)


@pytest.mark.parametrize('end', ['whoever asked is gone', 'the target stops'])
def test_slow_pull_is_given_up(new_cluster, end):
    cluster = new_cluster(volumes=2)
    copies = put_on(cluster, 1, [os.urandom(MIB)])
    with Gate(cluster[1].port, 1 << 60) as gate:
        items = [(copies[0].version, MIB, gate.url, copies[0].key)]
        body = signed.pull_body(items, time.time() + 600, rate=1,
                                stores={gate.url: signed.store_of(cluster, 1)})
        parties = signed.Parties(cluster, 2)
        master = signed.open_channel(cluster, 2, parties).open()
        master.send(channel.CALL, signed.mark(parties) + body, code=signed.KINDS.index('pull'), number=1)
        wait_for(lambda: gate.ends, 'the call to the source')
        if end == 'the target stops':
            begun = time.monotonic()
            cluster[2].stop()
            assert time.monotonic() - begun < 10  # StopSec= is 30
        else:
            master.socket.close()
            assert gate.go.wait(DEADLINE)  # the call to the source has ended, too
            assert cluster.health(2)['pending'] == cluster.health(2)['objects'] == 0
        master.socket.close()


def test_clients_come_first(new_cluster):
    """A large value is pulled slowly while clients are at work."""
    cluster = new_cluster(volumes=2)
    copies = put_on(cluster, 1, [os.urandom(32 * MIB)])
    (read,) = put_on(cluster, 2, [b'value'])
    done = threading.Event()

    def be_a_client():
        while not done.wait(0.1):
            served(cluster, read).expect(200)

    client = in_background(be_a_client)
    begun = time.monotonic()
    try:
        assert pull(cluster, copies) == ['']
        assert time.monotonic() - begun > 0.8
    finally:
        done.set()
        client.result(DEADLINE)
    assert_there(cluster, copies)


@pytest.mark.sanitize
def test_full_target(new_cluster):
    cluster = new_cluster(volumes=2)
    copies = put_on(cluster, 1, [os.urandom(size) for size in (INLINE, FILE, LARGE)])
    cluster[2].stop()
    cluster[2].settings['ReserveSize'] = '1T'
    cluster.start(2)
    cluster.wait_healthy()
    assert pull(cluster, copies) == ['ENOSPC'] * 3
    assert cluster.health(2)['pending'] == cluster.health(2)['objects'] == 0


@pytest.mark.sanitize
def test_unconfirmed_copy_goes(new_cluster):
    cluster = new_cluster(volumes=2, master=FAST)
    copies = put_on(cluster, 1, [os.urandom(INLINE), os.urandom(FILE)])
    assert pull(cluster, copies) == ['', '']
    cluster.wait_clean()
    assert cluster.health(2)['objects'] == 0
    for copy in copies:
        assert cluster.get(copy.key).body == copy.value


def test_copy_that_goes_while_others_are_waited_for(new_cluster):
    """A long call must not answer for what has been settled away meanwhile."""
    cluster = new_cluster(volumes=2, master=FAST)
    copies = put_on(cluster, 1, [os.urandom(INLINE), os.urandom(LARGE)])
    with Gate(cluster[1].port, MIB) as gate:
        result = in_background(pull, cluster, copies, gate.url)
        assert gate.reached.wait(DEADLINE)
        wait_for(lambda: cluster.health(2)['objects'] == 1, 'the first one')
        wait_for(lambda: cluster.health(2)['objects'] == 0, 'it to go again')
        gate.release()
        assert result.result(DEADLINE) == ['EAGAIN', '']
    cluster.wait_clean()


@pytest.mark.sanitize
def test_bodies_that_are_not_meant(new_cluster):
    cluster = new_cluster(volumes=1)
    good = signed.pull_body([(2, 3, 'http://127.0.0.1:1', 'k')], time.time() + 60)
    for kind, body in [
            ('pull', good[:-1]), ('pull', good + b'x'), ('pull', b''),
            ('pull', signed.pull_body([(n, MIB // 64, 'http://a', 'k') for n in range(513)], 1)),
            ('pull', signed.pull_body([(2, 3, 'http://' + 'a' * 300, 'k')], 1)),
            ('pull', signed.pull_body([(2, 3, 'http://a', 'k' * 1025)], 1)),
            ('fetch', b'1234567'), ('fetch', b'12345678' * 513)]:
        signed.call(cluster, 1, kind, body).expect(400)
    for kind in 'pull', 'fetch':
        signed.call(cluster, 1, kind, good, secret=b'x' * 32).expect(403)
    cluster.request('POST', '/-/fetch', good, who=1).expect(403)
    assert signed.call(cluster, 1, 'fetch', b'').expect(200).body == b''
    answer = signed.call(cluster, 1, 'fetch', struct.pack('<QQ', 4, 6)).expect(200).body
    assert answer == struct.pack('<QIIQ', 4, 2, 0, 0) + struct.pack('<QIIQ', 6, 2, 0, 0)


@pytest.mark.skipif(SANITIZED, reason='a sanitizer takes memory of its own')
def test_memory_does_not_grow_with_the_value(new_cluster):
    cluster = new_cluster(volumes=2)
    copies = put_on(cluster, 1, [os.urandom(MIB) * 256], 'large')
    before = [cluster[n].resident('VmHWM') for n in (1, 2)]
    assert pull(cluster, copies) == ['']
    after = [cluster[n].resident('VmHWM') for n in (1, 2)]
    assert all(b - a < 16 * MIB for a, b in zip(before, after)), (before, after)
    assert_there(cluster, copies)
