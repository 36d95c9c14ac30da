# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever comes from another daemon, or over D-Bus, is input: what cannot be is refused, and nothing that
can be sent ends a daemon, or has it fail later."""

import ctypes
import random
import re
import socket
import struct
import subprocess
import time

import pytest

import signed
from cluster import DEADLINE, Cluster, wait_for
from signed import string, varint, versions

XXHASH = ctypes.CDLL('libxxhash.so.0')
XXHASH.XXH3_64bits.restype = XXHASH.XXH3_64bits_withSeed.restype = ctypes.c_uint64


def hash64(data, seed=None):
    if seed is None:
        return XXHASH.XXH3_64bits(data, ctypes.c_size_t(len(data)))
    return XXHASH.XXH3_64bits_withSeed(data, ctypes.c_size_t(len(data)), ctypes.c_uint64(seed))


def fields(version=2, size=0, mtime=1, expiry=0, checksum=bytes(16), content_type=b'', metadata=b''):
    return (varint(version) + varint(size) + varint(mtime) + varint(expiry) + checksum + content_type + b'\0'
            + string(metadata))


def obj(key=b'hostile', value=b'', inline=1, form=0x21, **more):
    head = bytes([form, inline]) + fields(**{'size': len(value), **more}) + key + b'\0'
    return head + struct.pack('<Q', hash64(head)) + (value if inline else b'')


def record(key=b'hostile', copies=(1,), form=0x12, revision=0, **more):
    data = bytes([form]) + fields(**more) + varint(revision) + bytes([len(copies)])
    data += b''.join(map(varint, copies))
    return data + struct.pack('<Q', hash64(data, hash64(key)))


def commit(key=b'hostile', condition=b'\0\0\0', **more):
    encoded = record(key, **more)
    return string(key + b'\0') + condition + struct.pack('<I', len(encoded)) + encoded


def store(*objects, confirmed=()):
    return versions(confirmed) + varint(len(objects)) + b''.join(string(one) for one in objects)


def settle(volume, *items):
    return struct.pack('<I', volume) + b''.join(
        struct.pack('<Q', version) + string(key + b'\0') for version, key in items)


HUGE = [0, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
BAD = [
    *(('master', 'settle', settle(1, (n, b'k'))) for n in HUGE),
    *(('master', 'settle', settle(n, (2, b'k'))) for n in (0, 4, 70000, 0xffffffff)),
    ('master', 'settle', settle(1, (2, b''))),
    *(('master', 'commit', commit(version=n)) for n in HUGE),
    ('master', 'commit', commit(version=1 << 40)),  # not given out yet
    ('master', 'commit', commit(copies=())),
    ('master', 'commit', commit(copies=(1, 1))),
    ('master', 'commit', commit(copies=(9,))),
    ('master', 'commit', commit(copies=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))),
    ('master', 'commit', commit(key=b'')),
    ('master', 'commit', commit(size=(1 << 64) - 1)),
    ('master', 'commit', commit(mtime=(1 << 64) - 1)),
    ('master', 'commit', commit(content_type=b'a\nb')),
    ('master', 'commit', commit(metadata=b'no end')),
    ('master', 'commit', commit(metadata=b'name\0line\r\nSet-Cookie: x\0')),
    ('master', 'commit', commit(condition=b'\xff\0\0')),
    ('master', 'report', b'null'), ('master', 'report', b'[]'), ('master', 'report', b'{}'),
    ('master', 'report', b'[' * 10000),
    *((1, 'delete', struct.pack('<QQ', n, 2)) for n in HUGE[1:]), (1, 'delete', b'x'), (1, 'fetch', b'x'), (1, 'pull', b''), (1, 'store', b''),
]
BAD_OBJECTS = [
    *(obj(version=n) for n in HUGE),
    obj(key=b''), obj(inline=0, size=10), obj(inline=0, size=100000), obj(inline=0, size=(1 << 64) - 1),
    obj(inline=2), obj(form=0x12), obj(size=5, value=b'four'), obj(mtime=(1 << 64) - 1),
    obj(content_type=b'\x01'), obj(metadata=b'odd\0'), obj(value=bytes(40000)), b'', b'x',
]


@pytest.fixture(scope='module')
def attacked(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp('cluster'), volumes=2, master={'GraceSec': '1s', 'TicketSec': '1s'})
    one.put('small', b'small').expect(201)
    one.put('large', bytes(100000)).expect(201)
    yield one
    for daemon in one.daemons:  # what was let in does not keep it from starting
        daemon.kill()
        daemon.start()
    one.wait_healthy()
    works(one)
    one.close()


def works(cluster):
    for daemon in cluster.daemons:
        assert daemon.process.poll() is None, daemon.log_tail()
    cluster.put('good', b'good').expect(201, 204)
    assert cluster.get('good').body == b'good'
    assert cluster.get('small').body == b'small'
    assert 'large' in str(cluster.list())
    cluster.delete('good').expect(204)


@pytest.mark.sanitize
@pytest.mark.parametrize('who, kind, body', BAD, ids=range(len(BAD)))
def test_what_cannot_be_is_refused(attacked, who, kind, body):
    signed.call(attacked, who, kind, body).expect(400, 405, 409)
    works(attacked)


@pytest.mark.sanitize
@pytest.mark.parametrize('body', BAD_OBJECTS, ids=range(len(BAD_OBJECTS)))
def test_what_is_no_object_is_not_stored(attacked, body):
    before = attacked.health(1)['objects']
    answer = signed.call(attacked, 1, 'store', store(body)).expect(200, 400)
    assert answer.status == 400 or signed.errors(answer.body) != ['']
    assert attacked.health(1)['objects'] <= before  # of works(), garbage goes meanwhile
    works(attacked)


def mutations(body, generator):
    body = bytearray(body)
    for _ in range(generator.randrange(1, 4)):
        i = generator.randrange(len(body) + 1)
        match generator.randrange(4):
            case 0 if body:
                body[i % len(body)] ^= 1 << generator.randrange(8)
            case 1:
                del body[i:i + generator.randrange(1, 9)]
            case 2:
                body[i:i] = generator.randbytes(generator.randrange(1, 9))
            case _:
                body[i:i + 8] = generator.choice([b'\xff' * 8, bytes(8), b'\xff' * 9 + b'\1'])
    return bytes(body)


@pytest.mark.sanitize
@pytest.mark.parametrize('seed', range(4))
def test_mutations_do_no_harm(attacked, seed):
    generator = random.Random(seed)
    pull = signed.pull_body([(2, 5, 'http://127.0.0.1:1', 'small')], time.time() + 1)
    calls = [
        ('master', 'commit', commit()), ('master', 'settle', settle(1, (2, b'k'), (4, b'l'))),
        ('master', 'damaged', struct.pack('<IQB', 1, 2, 1) + string(b'k\0')),
        ('master', 'report', b'{"uuid": "%s", "number": 1, "url": "http://x", "zone": ""}' % (32 * b'a')),
        (1, 'store', store(obj(version=4), confirmed=[6])),
        (1, 'delete', struct.pack('<QQ', 0, 4)), (1, 'pull', pull),
        (1, 'fetch', struct.pack('<QQ', 2, 1 << 50)),
    ]
    for _ in range(20):
        for who, kind, body in calls:
            kept = 8 if kind == 'delete' else 0  # a higher number counts as a later master's
            body = body[:kept] + mutations(body[kept:], generator)
            answer = signed.call(attacked, who, kind, body)
            assert answer.status < 500 or answer.status == 503, (kind, answer)
    works(attacked)


NUMBERS = ['0', '1', '4', '65535', '65536', '4294967295']


@pytest.mark.sanitize
def test_no_number_on_the_bus_does_harm(new_cluster):
    """Each method of both daemons, with each number there is in each of its places."""
    cluster = new_cluster(volumes=2, bus=True)
    cluster.put('small', b'small').expect(201)
    cluster.put('large', bytes(100000)).expect(201)

    def busctl(*arguments):
        return subprocess.run(['busctl', f'--address={cluster.bus.address}', '--timeout=20', *arguments],
                              capture_output=True, text=True, check=False)

    def values(signature):
        """Arguments for a signature, with each number once."""
        types = re.findall(r'a\{sv\}|a[a-z]|[a-z]', signature)
        for number in NUMBERS:
            arguments = []
            for one in types:
                match one:
                    case 'a{sv}':
                        arguments += ['0']
                    case 's' | 'o':
                        arguments += ['/' if one == 'o' else 'delete']
                    case 'b':
                        arguments += ['false']
                    case _ if one[0] == 'a':
                        arguments += ['2', number, number] if number != '1' else ['1', number]
                    case _:
                        arguments += [number]
            yield arguments

    for name in re.findall(r'^(org\.dkv\.\S+)', busctl('list', '--acquired').stdout, re.M):
        for path in re.findall(r'(/org/dkv\S*)', busctl('tree', '--list', name).stdout):
            table = busctl('introspect', name, path).stdout
            interface = None
            for line in table.splitlines():
                word = line.split()
                if word[1:2] == ['interface']:
                    interface = word[0]
                if word[1:2] != ['method'] or not interface or not interface.startswith('org.dkv'):
                    continue
                signature = '' if word[2] == '-' else word[2]
                for arguments in values(signature) if re.search('[uxtnqi]', signature) else []:
                    done = busctl('call', name, path, interface, word[0][1:], signature, *arguments)
                    assert 'timed out' not in done.stderr and 'disconnected' not in done.stderr, \
                        (path, word[0], arguments, done.stderr)
    for daemon in cluster.daemons:
        assert daemon.process.poll() is None, daemon.log_tail()
    wait_for(lambda: cluster.health()['volumes'], 'an answer')


@pytest.mark.parametrize('status', ['201 Created', '204 No Content', '301 Moved Permanently', '200 OK'])
def test_a_master_that_is_none(new_cluster, status):
    """A volume says once what answers in the place of its master, and goes on asking."""
    cluster = new_cluster(volumes=1)
    volume = cluster[1]
    volume.stop()
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.settimeout(DEADLINE)
        volume.settings['Master'] = f'http://127.0.0.1:{server.getsockname()[1]}'
        volume.start()
        for _ in range(3):
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(f'HTTP/1.1 {status}\r\nLocation: http://x/\r\nContent-Length: 0\r\n'
                                   'Connection: close\r\n\r\n'.encode())
        assert volume.process.poll() is None, volume.log_tail()
        wait_for(lambda: re.search(r'warning|err', volume.log_tail(3)), 'a sentence')
