# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured, and what is compared with what.

All loads are alike: some connections, 32 if nothing else is said, which stay open, each with one request
under way, values of 1 KiB, a client with one thread. dkv and nginx get theirs from dkv-bench, etcd and
Redis from the cheapest program there is for their protocol: on a machine where they share the processors,
a dear client would make the server look slow. What the clients take is measured, too.
"""

import dataclasses
import json
import os
import struct
import time

from figures import Usage, h2load_result, per_request, redis_result
from servers import Failure, Growing, run

CONNECTIONS = 32
ALL_CONNECTIONS = [1, 32, 128, 256]
VALUE_SIZE = 1024
GET_KEYS = 10_000
PUT_KEYS = 100_000
MOVED_KEYS = 200_000  # of which a rebalance moves a quarter


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
    redis_rates: dict = dataclasses.field(default_factory=dict)  # by connections, as last measured
    large_urls: dict = dataclasses.field(default_factory=dict)  # where it was put last, by server
    costs: dict = dataclasses.field(default_factory=dict)  # of the last load, by volumes and connections


# --- Loads. ---

def dkv_bench(context, verb, url, *options, connections=CONNECTIONS):
    output = run(context.build / 'cli' / 'dkv-bench', verb, url, '--json', '--progress=no',
                 f'--connections={connections}', f'--size={VALUE_SIZE}', *options)
    return json.loads(output)


def timed(context, verb, url, *options, connections=CONNECTIONS):
    """What a load of dkv-bench comes to."""
    return dkv_bench(context, verb, url, f'--duration={context.seconds}s', '--pattern=random', *options,
                     connections=connections)


def put_result(context, url, connections, prefix='put/'):
    return timed(context, 'put', url, f'--keys={PUT_KEYS}', f'--prefix={prefix}', connections=connections)


def put(context, url, connections=CONNECTIONS, prefix='put/'):
    return put_result(context, url, connections, prefix)['requests_per_second']


def dkv_put(context, server, connections=CONNECTIONS):
    """Notes what each PUT costs each daemon, and all of them."""
    before = server.usage()
    result = put_result(context, server.url, connections)
    used = {name: usage - before[name] for name, usage in server.usage().items()}
    used['all'] = sum(used.values(), Usage())
    context.costs[server.volumes, connections] = {
        name: per_request(usage, result['requests']) for name, usage in used.items()}
    return result['requests_per_second']


def get(context, url, *options):
    # Of what nginx serves, dkv-bench does not know what it should be; so it compares nothing.
    return timed(context, 'get', url, f'--keys={GET_KEYS}', '--prefix=get/', '--verify=no',
                 *options)['requests_per_second']


def put_latency(context, url, percentile, prefix='put/'):
    """In µs, of a client that is alone."""
    return put_result(context, url, 1, prefix)['put']['latency_usec'][percentile]


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


def etcd_put(context, connections=CONNECTIONS):
    """gRPC is HTTP/2 with bodies of one length-prefixed message, so h2load speaks it. All puts are
    of one key, which costs etcd nothing: it stores values by revision, not by key."""
    message = protobuf_string(1, b'bench') + protobuf_string(2, os.urandom(VALUE_SIZE))
    body = context.directory / 'etcd-put'
    body.write_bytes(struct.pack('>BI', 0, len(message)) + message)

    before = etcd_writes(context)
    rate, done = h2load_result(run(
        'h2load', f'--clients={connections}', '--max-concurrent-streams=1', f'--duration={context.seconds}',
        f'--data={body}', '--header=content-type: application/grpc', '--header=te: trailers',
        f'{context.etcd.url}/etcdserverpb.KV/Put'))

    # gRPC says 200 to everything, so ask the server itself.
    written = etcd_writes(context) - before
    if done > written:
        raise Failure(f'etcd has done {written} writes of {done} that it was asked for.')
    return rate


def etcd_writes(context):
    """How often the key has been written."""
    answer = json.loads(run('env', 'ETCDCTL_API=3', 'etcdctl', f'--endpoints={context.etcd.url}',
                            'get', 'bench', '--write-out=json'))
    return answer['kvs'][0]['version'] if 'kvs' in answer else 0


def redis_result_of(context, connections):
    # redis-benchmark can count, but not look at the clock.
    rate = context.redis_rates.get(connections, 1000 * min(connections, 10))
    output = run('redis-benchmark', '-p', context.redis.port, '-c', connections, '-d', VALUE_SIZE,
                 '-r', PUT_KEYS, '-n', int(rate * context.seconds), '-t', 'set', '--csv')
    context.redis_rates[connections], latency = redis_result(output)
    return context.redis_rates[connections], latency


def redis_set(context, connections=CONNECTIONS):
    return redis_result_of(context, connections)[0]


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
    return mib_per_second(context, lambda: curl('--output', '/dev/null', url), context.seconds)


def large_url(context):
    """Where dkv has the large file."""
    if context.dkv.url not in context.large_urls:
        large_put(context, context.dkv.url)
    return context.large_urls[context.dkv.url]


def dkv_large_get(context):
    return large_get(context, large_url(context))


def nginx_large_get(context):
    """Reads the file in which a volume keeps what dkv_large_get() reads."""
    curl('--output', '/dev/null', large_url(context))  # both find it in memory
    files = [file for file in context.dkv.directory.glob('volume-*/objects/*/*')
             if file.stat().st_size >= context.large.stat().st_size]
    newest = max(files, key=lambda file: file.stat().st_mtime_ns)
    return large_get(context, f'{context.nginx.url}/dkv/{newest.relative_to(context.dkv.directory)}')


def rebalance(context):
    """Keys a second that a new volume gets from three others."""
    def fill(cluster):
        dkv_bench(context, 'put', cluster.url, f'--keys={MOVED_KEYS}', f'--count={MOVED_KEYS}', connections=256)

    with Growing(context.dkv.build, context.directory, fill) as cluster:
        return cluster.moved_alone()[0]


# --- Preparation. ---

def make_large_file(path, mib):
    with open(path, 'wb') as file:
        for _ in range(mib):
            file.write(os.urandom(2**20))
    return path


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
    function: object  # takes the Context, returns the figure
    less_is_better: bool = False


def at(name, connections):
    """What a measure is called that is made with so many connections."""
    return name if connections == CONNECTIONS else f'{name} {connections}'


def puts(connections):
    """All servers with so many connections, one behind the other."""
    return [
        Measure(at('etcd put', connections), '/s', lambda c: etcd_put(c, connections)),
        Measure(at('dkv put', connections), '/s', lambda c: dkv_put(c, c.dkv, connections)),
        Measure(at('redis set', connections), '/s', lambda c: redis_set(c, connections)),
        Measure(at('dkv volume put', connections), '/s', lambda c: dkv_put(c, c.volume, connections)),
        Measure(at('nginx put', connections), '/s', lambda c: put(c, c.nginx.url, connections, 'dav/put/')),
    ]


def latencies(percentile):
    """In µs, of one client."""
    return [Measure(f'{name} {percentile}', 'us', function, less_is_better=True) for name, function in (
        ('dkv put', lambda c: put_latency(c, c.dkv.url, percentile)),
        ('dkv volume put', lambda c: put_latency(c, c.volume.url, percentile)),
        ('redis set', lambda c: redis_result_of(c, 1)[1][percentile]),
        ('nginx put', lambda c: put_latency(c, c.nginx.url, percentile, 'dav/put/')))]


def cpu(name, volumes):
    """Of all daemons, in µs, as noted when the load was made that is measured before."""
    return Measure(name, 'us', lambda c: c.costs[volumes, CONNECTIONS]['all']['cpu_usec'], less_is_better=True)


# In the order in which they are made: those that are compared follow each other.
MEASURES = [
    *(measure for connections in ALL_CONNECTIONS for measure in puts(connections)),
    cpu('dkv put cpu', 3),
    cpu('dkv volume put cpu', 1),
    *latencies('p50'),
    *latencies('p99'),
    Measure('nginx get', '/s', lambda c: get(c, c.nginx.url, '--raw')),
    Measure('dkv get', '/s', lambda c: get(c, c.dkv.url)),
    Measure('dkv get ticket', '/s', lambda c: get(c, c.volume.url, '--tickets')),
    Measure('dkv get missing', '/s', dkv_missing),
    Measure('nginx put large', 'MiB/s', lambda c: large_put(
        c, f'{c.nginx.url}/dav', directory=c.nginx.www / 'dav')),
    Measure('dkv put large', 'MiB/s', lambda c: large_put(c, c.dkv.url)),
    Measure('nginx get large', 'MiB/s', nginx_large_get),
    Measure('dkv get large', 'MiB/s', dkv_large_get),
    Measure('dkv rebalance', 'keys/s', rebalance),
]


@dataclasses.dataclass
class Comparison:
    """Of a measure of dkv with that of a peer, as a ratio; or, if there is none, with the goal alone."""
    name: str
    ours: str
    theirs: str = None
    goal: float = None  # for the ratio, or for the figure; None if it is only good to know
    less_is_better: bool = False
    needs: str = None  # another measure by which OURS is noted


# What dkv is to reach.
GOALS = [
    Comparison('PUT against etcd, 1 connection', 'dkv put 1', 'etcd put 1', 0.75),
    Comparison('PUT against etcd, 32 connections', 'dkv put', 'etcd put', 1.3),
    Comparison('PUT against etcd, 128 connections', 'dkv put 128', 'etcd put 128', 1.8),
    Comparison('PUT against etcd, 256 connections', 'dkv put 256', 'etcd put 256', 2.2),
    Comparison('PUT against Redis, 32 connections', 'dkv put', 'redis set', 0.45),
    Comparison('PUT against Redis, 256 connections', 'dkv put 256', 'redis set 256', 0.6),
    Comparison('CPU of a PUT, 32 connections, one volume', 'dkv volume put cpu', goal=45, less_is_better=True,
               needs='dkv volume put'),
    Comparison('CPU of a PUT, 32 connections, three volumes', 'dkv put cpu', goal=65, less_is_better=True,
               needs='dkv put'),
    Comparison('PUT of one client, median', 'dkv put p50', goal=450, less_is_better=True),
    Comparison('GET with redirect, against nginx', 'dkv get', 'nginx get', 0.65),
    Comparison('GET from a volume with a ticket, against nginx', 'dkv get ticket', 'nginx get', 1.4),
    Comparison('GET of a large file, against nginx with the same', 'dkv get large', 'nginx get large', 0.95),
    Comparison('Rebalance of values of 1 KiB', 'dkv rebalance', goal=30_000),
]

OTHERS = [
    Comparison('PUT against Redis, 1 connection', 'dkv put 1', 'redis set 1'),
    Comparison('PUT against Redis, 128 connections', 'dkv put 128', 'redis set 128'),
    *(Comparison(f'PUT, one volume against three, {n} at a time', at('dkv volume put', n),
                 at('dkv put', n)) for n in ALL_CONNECTIONS),
    *(Comparison(f'PUT, against nginx without a flush, {n} at a time', at('dkv put', n),
                 at('nginx put', n)) for n in ALL_CONNECTIONS),
    Comparison('PUT of one client, median, against Redis', 'dkv put p50', 'redis set p50', less_is_better=True),
    Comparison('PUT of one client, slowest in 100', 'dkv put p99', 'redis set p99', less_is_better=True),
    Comparison('PUT of one client, one volume, median', 'dkv volume put p50', 'redis set p50', less_is_better=True),
    Comparison('PUT of one client, one volume, slowest in 100', 'dkv volume put p99', 'redis set p99',
               less_is_better=True),
    Comparison('PUT of one client, median, against nginx', 'dkv put p50', 'nginx put p50', less_is_better=True),
    Comparison('PUT of one client, slowest in 100, nginx', 'dkv put p99', 'nginx put p99', less_is_better=True),
    Comparison('GET of a missing key, against nginx', 'dkv get missing', 'nginx get', 1.1),
    Comparison('PUT of a large file, against nginx and sync', 'dkv put large', 'nginx put large', 0.9),
]


def needed_by(comparisons):
    """The measures for these, in order."""
    names = {name for one in comparisons for name in (one.ours, one.theirs, one.needs)}
    return [measure for measure in MEASURES if measure.name in names]
