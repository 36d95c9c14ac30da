# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is who: directories that are copied, swapped or empty, addresses that are wrong, two masters; and calls
that are signed, but not by or for those whom they name. Nothing acknowledged is lost by any of it, and whoever
is not meant says so."""

import json
import os
import shutil
import signal
import socket
import struct
import threading
import time

import pytest

import channel
import signed
from cluster import Daemon, free_ports, wait_for

KEEP = {'GraceSec': '1s', 'TicketSec': '1s'}  # what is garbage is deleted soon
LARGE = 100_000


class Writers:
    """Threads that write values of several sizes, and remember what was acknowledged."""

    def __init__(self, cluster, n=3):
        self.cluster, self.stopped, self.lock = cluster, threading.Event(), threading.Lock()
        self.acknowledged, self.n = {}, 0
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(n)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def run(self, i):
        n = 0
        while not self.stopped.is_set():
            n += 1
            key, value = f'w{i}/{n % 150}', os.urandom(LARGE if n % 10 == 0 else 100)
            try:
                status = self.cluster.put(key, value).status
            except OSError:
                status = 0
            with self.lock:
                if status in (201, 204):
                    self.acknowledged[key] = {value}
                    self.n += 1
                else:  # it may have come through, or may not
                    self.acknowledged.setdefault(key, {None}).add(value)

    def wait_for_more(self, n=60):
        """Until so many more were acknowledged."""
        seen = self.n
        wait_for(lambda: self.n >= seen + n, 'writes to go on')


def put_all(cluster, prefix, n=60):
    values = {f'{prefix}/{i}': os.urandom(LARGE if i % 20 == 0 else 100) for i in range(n)}
    for key, value in values.items():
        cluster.put(key, value).expect(201)
    return values


def assert_all_there(cluster, values):
    lost = [key for key, value in values.items() if cluster.get(key).body != value]
    assert not lost, f'{len(lost)} of {len(values)} lost: {lost[:5]}'


def assert_acknowledged(cluster, writers):
    for key, values in writers.acknowledged.items():
        answer = cluster.get(key)
        assert answer.body in values or (None in values and answer.status == 404), f'{key}: {answer}'


def status(cluster):
    health = cluster.health()
    return ' '.join([health['reason'], *[t['sentence'] for t in health.get('troubles', [])]])


def another(cluster, n, directory, **settings):
    """A second daemon of volume N on DIRECTORY, which does not run yet."""
    volume = Daemon('volume', f'another-{n}', cluster.directory, {
        **cluster[n].settings, 'Directory': directory, 'Listen': f'127.0.0.1:{free_ports(1)[0]}', **settings})
    return volume


def copy_of(cluster, who):
    """A copy of the directory, as it was at one moment."""
    copy = cluster.directory / f'copy-of-{who}'
    cluster.kill(who, signal.SIGSTOP)
    shutil.copytree(cluster[who].data, copy)
    cluster.kill(who, signal.SIGCONT)
    return copy


@pytest.fixture
def extra():
    """Daemons beside those of the cluster; whatever becomes of the test, they end."""
    daemons = []
    yield daemons
    for daemon in daemons:
        if daemon.process:
            if daemon.process.poll() is None:
                daemon.kill()
            daemon.process = None


# Stores

def test_an_empty_directory_under_writers_and_the_old_one_back(new_cluster):
    cluster = new_cluster(volumes=3, master=KEEP)
    with Writers(cluster) as writers:
        writers.wait_for_more()
        away = cluster[2].data.with_name('away')
        cluster[2].kill()
        cluster[2].data.rename(away)
        cluster[2].data.mkdir()
        cluster.start(2)
        wait_for(lambda: "Another store has this volume's number" in cluster[2].log_tail(), 'the refusal')
        writers.wait_for_more()
        assert cluster.health(2)['objects'] == 0  # the master does not know it
        assert 'Another store than that of volume 2 reports' in status(cluster)
        assert 'is not at' not in status(cluster)
        cluster[2].stop()
        shutil.rmtree(cluster[2].data)
        away.rename(cluster[2].data)
        cluster.start(2)
        cluster.wait_healthy()
        writers.wait_for_more()
    assert_acknowledged(cluster, writers)


@pytest.mark.sanitize
@pytest.mark.parametrize('same_url', [False, True])
def test_a_copy_of_a_store_beside_the_original(new_cluster, extra, same_url):
    """The older stays; status says which two. A machine that was cloned has even the same address."""
    cluster = new_cluster(volumes=3, master=KEEP)
    with Writers(cluster) as writers:
        writers.wait_for_more()
        url = f'http://127.0.0.1:{cluster[3].port}'
        settings = {'Url': url} if same_url else {}
        copy = another(cluster, 3, copy_of(cluster, 3), **settings)
        extra.append(copy)
        epoch = cluster.health()['epoch']
        copy.start()
        wait_for(lambda: 'is up at' in copy.log_tail(), 'the refusal of the copy')
        wait_for(lambda: 'Two daemons serve the store of volume 3' in status(cluster), 'status to say so')
        assert url in status(cluster) and (same_url or f':{copy.port}' in status(cluster))
        writers.wait_for_more(200)
        assert cluster.health()['epoch'] == epoch
        copy.stop()
    assert_acknowledged(cluster, writers)


def test_the_newer_one_is_taken_when_the_older_one_is_down(new_cluster, extra):
    """A volume moves to another address."""
    cluster = new_cluster(volumes=2, master=KEEP)
    values = put_all(cluster, 'k')
    cluster[2].stop()
    moved = another(cluster, 2, cluster[2].data)
    extra.append(moved)
    moved.start()
    wait_for(lambda: any(f':{moved.port}' in v['url'] and v['up'] for v in cluster.health()['volumes']),
             'the volume at its new address')
    assert_all_there(cluster, values)
    moved.stop()
    cluster.start(2)
    cluster.wait_healthy()
    assert_all_there(cluster, values)


def test_a_copy_that_starts_while_the_original_hangs(new_cluster, extra):
    """It is taken, as nobody can know; the original is refused when it comes to itself."""
    cluster = new_cluster(volumes=2, copies=2, master=KEEP)
    values = put_all(cluster, 'k')
    copy = another(cluster, 2, copy_of(cluster, 2))
    extra.append(copy)
    cluster[2].kill(signal.SIGSTOP)
    copy.start()
    wait_for(lambda: any(f':{copy.port}' in v['url'] and v['up'] for v in cluster.health()['volumes']),
             'the copy to be taken')
    cluster[2].kill(signal.SIGCONT)
    wait_for(lambda: 'Two daemons serve the store of volume 2' in status(cluster), 'status to say so')
    assert_all_there(cluster, values)
    copy.stop()
    cluster.wait_healthy()
    assert_all_there(cluster, values)


@pytest.mark.sanitize
def test_stores_that_were_swapped(new_cluster):
    cluster = new_cluster(volumes=2, master=KEEP)
    values = put_all(cluster, 'k')
    for n in 1, 2:
        cluster[n].stop()
    one, two = cluster[1].data, cluster[2].data
    aside = one.with_name('aside')

    def swap():
        one.rename(aside)
        two.rename(one)
        aside.rename(two)

    swap()
    for n in 1, 2:
        cluster[n].start()
        assert cluster[n].wait() == 1
        assert (f"The store in '{cluster[n].data}' belongs to volume {3 - n}, and this is volume {n}."
                in cluster[n].log_tail())
    swap()
    for n in 1, 2:
        cluster[n].start()
    cluster.wait_healthy()
    assert_all_there(cluster, values)


@pytest.mark.sanitize
def test_a_copy_of_a_store_under_another_number(new_cluster, extra):
    cluster = new_cluster(volumes=1)
    copy = another(cluster, 1, copy_of(cluster, 1), Number=7)
    extra.append(copy)
    copy.start()
    assert copy.wait() == 1
    assert 'belongs to volume 1, and this is volume 7.' in copy.log_tail()
    assert len(cluster.health()['volumes']) == 1


def test_a_store_of_another_cluster(new_cluster, extra):
    cluster, other = new_cluster(volumes=1), new_cluster(volumes=1)
    values = put_all(cluster, 'k', 5)
    put_all(other, 'k', 5)
    other[1].stop()
    stranger = another(cluster, 1, other[1].data, Number=1)
    extra.append(stranger)
    stranger.start()
    wait_for(lambda: 'another cluster' in stranger.log_tail(), 'the refusal')
    assert_all_there(cluster, values)
    stranger.stop()
    other.start(1)
    other.wait_healthy()


# Addresses

def test_the_address_of_another_volume(new_cluster):
    """What was meant for volume 1 is refused by volume 2, where the versions exist as well as not."""
    cluster = new_cluster(volumes=3, master=KEEP, bus=True)
    old = put_all(cluster, 'old', 90)
    with Writers(cluster) as writers:
        writers.wait_for_more()
        url = f'http://127.0.0.1:{cluster[2].port}'
        cluster.dkvadm('volume', 'set', 1, f'--url={url}')
        wait_for(lambda: f'Volume 1 is not at {url} (which says: This is volume 2)' in status(cluster),
                 'status to say so')
        for key in list(old)[:30]:  # deletions for volume 1, too, must not run on 2
            cluster.delete(key).expect(204)
            del old[key]
        writers.wait_for_more()
        cluster.dkvadm('volume', 'set', 1, '--url=')
        wait_for(lambda: cluster.health()['status'] == 'ok', 'it to be right again')
        writers.wait_for_more()
    assert_all_there(cluster, old)
    assert_acknowledged(cluster, writers)


def test_writes_and_reads_go_elsewhere_within_a_second(new_cluster):
    cluster = new_cluster(volumes=3, copies=2, bus=True)
    values = put_all(cluster, 'k')
    cluster.dkvadm('volume', 'set', 1, f'--url=http://127.0.0.1:{cluster[2].port}')
    wait_for(lambda: 'Volume 1 is not at' in status(cluster), 'status to say so', 2)
    assert_all_there(cluster, values)
    put_all(cluster, 'new')
    for size in 100, LARGE:
        cluster.put(f'size/{size}', b'v' * size).expect(201)


def test_an_address_that_is_no_volume(new_cluster):
    cluster = new_cluster(volumes=2, copies=2, bus=True)
    values = put_all(cluster, 'k', 20)
    cluster.dkvadm('volume', 'set', 1, f'--url={cluster.url}')  # the master's own, for example
    wait_for(lambda: 'which is no volume of dkv' in status(cluster), 'status to say so')
    assert_all_there(cluster, values)
    cluster.dkvadm('volume', 'set', 1, '--url=')
    wait_for(lambda: cluster.health()['status'] == 'ok', 'it to be right again')


# Masters

@pytest.mark.sanitize
@pytest.mark.parametrize('auto', ['no', 'yes'])
def test_a_second_master_on_a_copied_directory(new_cluster, extra, auto):
    """It can order nothing, finds out that it is the second one, and ends."""
    cluster = new_cluster(volumes=2, master=KEEP)
    values = put_all(cluster, 'k')
    kept = put_all(cluster, 'garbage')
    with Writers(cluster) as writers:
        writers.wait_for_more()
        second = Daemon('master', 'second', cluster.directory, {
            **cluster.master.settings, 'Directory': copy_of(cluster, 'master'), 'AutoAddVolumes': auto,
            'Listen': f'127.0.0.1:{free_ports(1)[0]}'})
        extra.append(second)
        second.start()
        assert second.wait() == 10
        assert (f'The cluster has a master, at {cluster.url}, which volume' in second.log_tail()
                and 'this one was started on a copy of its directory, and ends' in second.log_tail())
        writers.wait_for_more()
    assert_all_there(cluster, {**values, **kept})
    assert_acknowledged(cluster, writers)
    for key in kept:
        cluster.delete(key).expect(204)
    cluster.wait_clean()  # the first one's deletions are taken still
    assert cluster.health()['status'] == 'ok'


def test_restarts_cost_nothing(new_cluster):
    """All of them must find out anew who is who."""
    cluster = new_cluster(volumes=2, copies=2)
    with Writers(cluster) as writers:
        writers.wait_for_more()
        for who in 1, 'master', 2, 'master':
            cluster.restart(who)
            writers.wait_for_more()
    assert_acknowledged(cluster, writers)


# Tickets

@pytest.mark.sanitize
@pytest.mark.parametrize('method', ['GET', 'PUT'])
def test_a_ticket_for_another_store_leads_back(new_cluster, method):
    cluster = new_cluster(volumes=2)
    value = os.urandom(LARGE)
    cluster.put('k', value).expect(201)
    url = cluster.redirect('k') if method == 'GET' else cluster.write_redirect('k')
    wrong = 3 - cluster.volume_of(url)
    misled = url.replace(f':{cluster[cluster.volume_of(url)].port}/', f':{cluster[wrong].port}/', 1)
    answer = cluster.request(method, misled, value if method == 'PUT' else None).expect(307)
    if method == 'GET':
        assert answer['Location'] == f'{cluster.url}/k?again=1'
        assert cluster.get('k', '?again=1').expect(200).body == value
        cluster.get('k', '?again=3').expect(503)
    assert cluster.health(wrong)['objects'] == 0
    assert cluster.request(method, url, value if method == 'PUT' else None).status in (200, 204)


# Calls that are signed

def call_as(cluster, who, kind, body, changes):
    """A call with something changed of who calls whom."""
    parties = signed.Parties(cluster, who)
    for name, change in changes.items():
        setattr(parties, name, change(getattr(parties, name)))
    return signed.call(cluster, who, kind, body, parties=parties)


def other_hex(text):
    return f'{int(text, 16) ^ 1:0{len(text)}x}'


def other_store(number=lambda n: n, uuid=lambda u: u, run=lambda r: r):
    return lambda store: (number(store[0]), uuid(store[1]), run(store[2]))


@pytest.fixture(scope='module')
def hostile(tmp_path_factory):
    from cluster import Cluster
    cluster = Cluster(tmp_path_factory.mktemp('hostile'), volumes=2)
    cluster.put('k', b'v' * 100).expect(201)
    yield cluster
    cluster.close()


CHANGES = {
    'another cluster': ({'cluster': other_hex}, 421),
    'a lower term': ({'term': lambda t: t - 1}, 410),
    'a higher term': ({'term': lambda t: t + 1}, 425),
    'another leader': ({'leader': other_hex}, 425),
    'another number': ({'receiver': other_store(number=lambda n: n + 5)}, 421),
    'another store': ({'receiver': other_store(uuid=other_hex)}, 421),
    'another run': ({'receiver': other_store(run=other_hex)}, 425),
    'no run': ({'receiver': other_store(run=lambda r: '0')}, 421),
    'a volume as the sender': ({'sender': lambda s: (2, '1' * 32, '1')}, 421),
}


@pytest.mark.sanitize
@pytest.mark.parametrize('what', CHANGES)
def test_orders_of_others_and_for_others(hostile, what):
    changes, expected = CHANGES[what]
    volume = hostile.where('k')['copies'][0]['volume']
    body = struct.pack('<QQ', 1 << 40, hostile.where('k')['object'])
    call_as(hostile, volume, 'delete', body, changes).expect(expected)
    for kind in 'store', 'pull':
        call_as(hostile, volume, kind, b'\0\0', changes).expect(expected)
    assert hostile.get('k').expect(200).body == b'v' * 100


@pytest.mark.sanitize
@pytest.mark.parametrize('changes, expected', [
    ({'cluster': other_hex}, 421),
    ({'term': lambda t: t - 1}, 425),
    ({'term': lambda t: t + 1}, 410),
    ({'leader': other_hex}, 425),
    ({'sender': other_store(number=lambda n: n + 5)}, 425),
    ({'sender': other_store(uuid=other_hex)}, 421),
    ({'sender': other_store(run=other_hex)}, 425),
    ({'sender': lambda s: signed.Parties.MASTER}, 421)])
def test_calls_to_the_master_by_others(hostile, changes, expected):
    settle = struct.pack('<I', 1)
    for kind in 'commit', 'settle', 'damaged':
        call_as(hostile, 'master', kind, settle, changes).expect(expected)
    signed.call(hostile, 'master', 'settle', settle).expect(200)


@pytest.mark.sanitize
@pytest.mark.parametrize('who', [1, 'master'])
def test_a_call_is_good_once(hostile, who):
    """What was said on a channel counts for nothing when it is said again, there or on another one."""
    kind, body = ('store', b'\0\0') if who == 1 else ('settle', struct.pack('<I', 1))
    parties = signed.Parties(hostile, who)
    with signed.open_channel(hostile, who, parties) as line:
        line.open()
        frame = line.session.frame(channel.CALL, signed.mark(parties) + body, code=signed.KINDS.index(kind), number=1)
        line.socket.sendall(frame)
        kind, code, *_ = line.receive()
        assert (kind, code) == (channel.ANSWER, 0)
        line.socket.sendall(frame)
        with pytest.raises((EOFError, ConnectionError)):
            line.receive()
    with signed.open_channel(hostile, who, parties) as line:
        line.open().socket.sendall(frame)
        with pytest.raises((EOFError, ConnectionError)):
            line.receive()


@pytest.mark.sanitize
def test_a_report_that_comes_late_changes_nothing(hostile):
    """It has a lower number than those that came since."""
    numbers = ('free', 'size', 'objects', 'bytes', 'pending', 'version_max', 'revision', 'deletion', 'objects_ever',
               'delay')
    report = json.dumps({'wire': 5, 'url': 'http://elsewhere:1', 'zone': 'elsewhere', 'clock': int(time.time() * 1e6),
                         **dict.fromkeys(numbers, 0)}).encode()
    before = hostile.health()
    call_as(hostile, 'master', 'report', report, {'sequence': lambda n: 1}).expect(409)
    after = hostile.health()
    assert [v['url'] for v in after['volumes']] == [v['url'] for v in before['volumes']]
    assert (after['epoch'], after['status']) == (before['epoch'], 'ok')


@pytest.mark.parametrize('what', ['body', 'target', 'method', 'hash', 'header'])
def test_what_is_altered_is_refused(hostile, what):
    path, method, body = '/-/fetch', 'POST', bytes(8)
    header = signed.signature(hostile, 1, path, body)
    text = header['Dkv-Signature']
    if what == 'body':
        body = bytes(7) + b'\1'
    elif what == 'target':
        path = '/-/hello'
    elif what == 'method':
        header = signed.signature(hostile, 1, path, body, method='PUT')
    elif what == 'hash':
        fields = text.split('.')
        header = {'Dkv-Signature': '.'.join(fields[:-2] + fields[-1:])}
    else:
        header = {}
    hostile.request(method, path, body, header, who=1).expect(403)


@pytest.mark.parametrize('who', [1, 'master'])
def test_an_altered_offer_is_refused(hostile, who):
    parties = signed.Parties(hostile, who)
    secret = (hostile.directory / 'secret').read_bytes()
    with signed.open_channel(hostile, who, parties) as line:
        assert line.status == 101
        offer = line.offer
    for i in range(0, len(offer), 7):
        altered = offer[:i] + other_hex(offer[i]) + offer[i + 1:]
        with channel.Channel(hostile[who].port, secret, offer=altered) as line:
            assert line.status in (403, 405), i  # 405 for the form of another release
    with signed.open_channel(hostile, who, parties, b'x' * 32) as line:
        assert line.status == 403
    with channel.Channel(hostile[who].port, secret, offer='') as line:
        assert line.status == 403


@pytest.mark.parametrize('who', [1, 'master'])
def test_an_altered_call_is_not_heard(hostile, who):
    """No bit of a frame, and no frame before OPEN, gets an answer."""
    kind, body = ('store', b'\0\0') if who == 1 else ('settle', struct.pack('<I', 1))
    parties = signed.Parties(hostile, who)
    for i in [0, 3, 4, 6, 8, 15, 16, 40, 70, -17, -16, -1]:
        with signed.open_channel(hostile, who, parties) as line:
            frame = bytearray(line.open().session.frame(
                channel.CALL, signed.mark(parties) + body, code=signed.KINDS.index(kind), number=1))
            frame[i] ^= 1
            line.socket.sendall(frame)
            line.socket.shutdown(socket.SHUT_WR)
            with pytest.raises((EOFError, ConnectionError)):
                line.receive()
    with signed.open_channel(hostile, who, parties) as line, pytest.raises((EOFError, ConnectionError)):
        line.call(signed.KINDS.index(kind), body, 1, signed.mark(parties))


def test_strangers_are_refused_before_their_body(hostile):
    """Who has no signature is answered without a byte of the body."""
    with hostile.raw(1) as raw:
        raw.head('POST', '/-/fetch', f'Content-Length: {60000}', 'Expect: 100-continue',
                 f'Dkv-Signature: 5.{"f" * 8}.{"0" * 300}').answer().expect(403)


@pytest.mark.parametrize('who', [1, 'master'])
def test_a_release_before_this_one_is_told_so(hostile, who):
    secret = (hostile.directory / 'secret').read_bytes()
    with channel.Channel(hostile[who].port, secret, offer=channel.handshake(secret, form=255)) as line:
        assert line.status == 405
        while b'another version of dkv' not in line.received:
            assert line._receive()
