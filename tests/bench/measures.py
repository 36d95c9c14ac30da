# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured, and what is compared with what.

All loads are equal: 32 connections, each with one request under way, values of 1 KiB. dkv and nginx
get theirs from dkv-bench, etcd and redis from the cheapest program there is for their protocol: on
a machine where they share the processors, a dear load generator would make the server look slow.
"""

import dataclasses
import json
import os
import re
import struct
import time

from servers import Failure, run

CONNECTIONS = 32
VALUE_SIZE = 1024
GET_KEYS = 10_000
PUT_KEYS = 100_000


@dataclasses.dataclass
class Context:
    """What the measures work with."""
    build: object
    directory: object
    seconds: int
    large: object  # a file
    dkv: object
    volume: object  # a dkv with a single volume
    etcd: object
    nginx: object
    redis: object
    redis_rate: float = 10_000
    large_urls: dict = dataclasses.field(default_factory=dict)  # where it was put last


# --- Loads. ---

def dkv_bench(context, verb, url, *options):
    output = run(context.build / 'cli' / 'dkv-bench', verb, url, '--json', '--progress=no',
                 f'--connections={CONNECTIONS}', f'--size={VALUE_SIZE}', *options)
    return json.loads(output)


def timed(context, verb, url, *options):
    """Requests per second of a load of dkv-bench."""
    result = dkv_bench(context, verb, url, f'--duration={context.seconds}s', '--pattern=random',
                       *options)
    return result['requests_per_second']


def put(context, url, prefix='put/'):
    return timed(context, 'put', url, f'--keys={PUT_KEYS}', f'--prefix={prefix}')


def get(context, url, *options):
    return timed(context, 'get', url, f'--keys={GET_KEYS}', '--prefix=get/', *options)


def dkv_missing(context):
    result = dkv_bench(context, 'get', context.dkv.url, f'--duration={context.seconds}s',
                       f'--keys={GET_KEYS}', '--prefix=missing/', '--allow-errors')
    if result['statuses'].keys() != {'404'}:
        raise Failure(f'Not all answers are 404: {result["statuses"]}')
    return result['requests_per_second']


def protobuf_string(number, value):
    size = len(value)
    encoded = b''
    while size > 127:
        encoded += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + encoded + bytes([size]) + value


def etcd_put(context):
    """gRPC is HTTP/2 with bodies of one length-prefixed message, so h2load speaks it. All puts are
    of one key, which costs etcd nothing: it stores values by revision, not by key."""
    message = protobuf_string(1, b'bench') + protobuf_string(2, b'x' * VALUE_SIZE)
    body = context.directory / 'etcd-put'
    body.write_bytes(struct.pack('>BI', 0, len(message)) + message)

    before = etcd_writes(context)
    output = run('h2load', f'--clients={CONNECTIONS}', '--max-concurrent-streams=1',
                 f'--duration={context.seconds}', f'--data={body}',
                 '--header=content-type: application/grpc', '--header=te: trailers',
                 f'{context.etcd.url}/etcdserverpb.KV/Put')
    finished = re.search(r'finished in \S+, ([0-9.]+) req/s', output)
    done = re.search(r'(\d+) done', output)

    # gRPC says 200 to everything, so ask the server itself.
    if int(done[1]) > etcd_writes(context) - before:
        raise Failure(f'etcd has not done what it was asked for:\n{output}')
    return float(finished[1])


def etcd_writes(context):
    """How often the key has been written."""
    answer = json.loads(run('env', 'ETCDCTL_API=3', 'etcdctl', f'--endpoints={context.etcd.url}',
                            'get', 'bench', '--write-out=json'))
    return answer['kvs'][0]['version'] if 'kvs' in answer else 0


def redis_set(context):
    # redis-benchmark can count, but not look at the clock.
    output = run('redis-benchmark', '-p', context.redis.port, '-c', CONNECTIONS, '-d', VALUE_SIZE,
                 '-r', PUT_KEYS, '-n', int(context.redis_rate * context.seconds), '-t', 'set',
                 '--csv')
    context.redis_rate = float(output.splitlines()[-1].split(',')[1].strip('"'))
    return context.redis_rate


def curl(*arguments):
    """Runs curl, checks that it succeeds."""
    run('curl', '--silent', '--show-error', '--fail', '--location', '--noproxy', '*', *arguments)


def mib_per_second(context, transfer, seconds):
    """Transfers the large file until the time is up, at least once."""
    size = context.large.stat().st_size / 2**20
    start = time.monotonic()
    elapsed = done = 0
    while elapsed < seconds or done == 0:
        transfer()
        done += 1
        elapsed = time.monotonic() - start
    return done * size / elapsed


def large_put(context, url, directory=None):
    """Each time under another name, so that all servers write to new blocks of the disk, whether
    they let go of old values at once or later. DIRECTORY is where the file lies that has to be
    flushed, for a server that does not flush it itself."""
    name = f'large-{time.monotonic_ns()}'
    context.large_urls[url] = f'{url}/{name}'

    def transfer():
        curl('--upload-file', context.large, f'{url}/{name}')
        if directory:
            run('sync', directory / name)

    return mib_per_second(context, transfer, 0)  # once: each time takes room on the disk


def large_get(context, url):
    """Reads what was put last."""
    return mib_per_second(
        context, lambda: curl('--output', '/dev/null', context.large_urls[url]), context.seconds)


# --- Preparation. ---

def store_values(context):
    """The values that the gets read."""
    for server in (context.dkv, context.volume):
        dkv_bench(context, 'put', server.url, f'--keys={GET_KEYS}', f'--count={GET_KEYS}',
                  '--pattern=sequential', '--prefix=get/')

    directory = context.nginx.www / 'get'
    directory.mkdir()
    for number in range(GET_KEYS):
        (directory / str(number)).write_bytes(os.urandom(VALUE_SIZE))


# --- Tables. ---

@dataclasses.dataclass
class Measure:
    name: str
    unit: str
    function: object  # takes the Context, returns the figure; more is better


# In the order in which they are made: those that are compared follow each other.
MEASURES = [
    Measure('etcd put', '/s', etcd_put),
    Measure('dkv put', '/s', lambda c: put(c, c.dkv.url)),
    Measure('redis set', '/s', redis_set),
    Measure('nginx put', '/s', lambda c: put(c, c.nginx.url, 'dav/put/')),
    Measure('nginx get', '/s', lambda c: get(c, c.nginx.url, '--raw')),
    Measure('dkv get', '/s', lambda c: get(c, c.dkv.url)),
    Measure('dkv get ticket', '/s', lambda c: get(c, c.volume.url, '--tickets')),
    Measure('dkv get missing', '/s', dkv_missing),
    Measure('nginx put large', 'MiB/s', lambda c: large_put(
        c, f'{c.nginx.url}/dav', directory=c.nginx.www / 'dav')),
    Measure('dkv put large', 'MiB/s', lambda c: large_put(c, c.dkv.url)),
    Measure('nginx get large', 'MiB/s', lambda c: large_get(c, f'{c.nginx.url}/dav')),
    Measure('dkv get large', 'MiB/s', lambda c: large_get(c, c.dkv.url)),
]


@dataclasses.dataclass
class Ratio:
    name: str
    ours: str
    theirs: str
    goal: float = None  # of ours / theirs; None if it is only good to know


RATIOS = [
    Ratio('PUT, against etcd', 'dkv put', 'etcd put', 3.0),
    Ratio('PUT, against redis', 'dkv put', 'redis set'),
    Ratio('PUT, against nginx without a flush', 'dkv put', 'nginx put'),
    Ratio('GET, following the redirect', 'dkv get', 'nginx get', 0.45),
    Ratio('GET from one volume with a ticket', 'dkv get ticket', 'nginx get', 1.0),
    Ratio('GET of a missing key', 'dkv get missing', 'nginx get', 1.1),
    Ratio('PUT of a large file', 'dkv put large', 'nginx put large', 0.9),
    Ratio('GET of a large file', 'dkv get large', 'nginx get large', 0.9),
]
