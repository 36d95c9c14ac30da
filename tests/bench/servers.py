# SPDX-License-Identifier: LGPL-2.1-or-later
"""The servers under load: dkv and its peers, each private, on free ports, in a directory.

They are context managers: inside `with` they answer, afterwards they are gone.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

from figures import read_usage

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE_SEC = 30


class Failure(Exception):
    """Something that a measurement needs does not work; the text says what."""


def run(*argv):
    """Runs a command to its end and returns what it printed."""
    argv = [str(word) for word in argv]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f'{" ".join(argv)}: exit status {done.returncode}\n{done.stderr}{done.stdout}')
    return done.stdout


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
        return True


def free_ports(n=1):
    """Returns the first of n consecutive ports that are free, below those that the kernel gives
    to outgoing connections."""
    for _ in range(1000):
        first = random.randrange(10000, 32000 - n)
        if all(is_free(port) for port in range(first, first + n)):
            return first
    raise Failure(f'There are no {n} free ports in a row.')


class Server:
    """A server that runs in the foreground as a child of ours."""

    def __init__(self, directory):
        self.directory = directory / type(self).__name__.lower()
        self.port = free_ports(2)  # etcd listens to its like, too
        self.url = f'http://127.0.0.1:{self.port}'

    def __enter__(self):
        self.directory.mkdir()
        self.prepare()
        with open(self.directory / 'log', 'w') as log:
            self.process = subprocess.Popen(
                [str(word) for word in self.command()], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=self.directory, start_new_session=True)
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, kind=None, *_):
        if kind:
            self.quote_log()
        self.process.terminate()
        try:
            self.process.wait(DEADLINE_SEC)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def quote_log(self):
        """What it says may be why a measurement failed."""
        for line in (self.directory / 'log').read_text().splitlines()[-5:]:
            print(f'{type(self).__name__}: {line}', file=sys.stderr)

    def prepare(self):
        pass

    def wait(self):
        deadline = time.monotonic() + DEADLINE_SEC
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = (self.directory / 'log').read_text()
                raise Failure(f'{type(self).__name__} does not start:\n{log[-2000:]}')
            time.sleep(0.05)

    def is_ready(self):
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', self.port)) == 0


class Etcd(Server):
    def command(self):
        peer = f'http://127.0.0.1:{self.port + 1}'
        return ['etcd', '--name=bench', '--data-dir=data', '--log-level=error', '--logger=zap',
                '--quota-backend-bytes=8589934592',
                f'--listen-client-urls={self.url}', f'--advertise-client-urls={self.url}',
                f'--listen-peer-urls={peer}', f'--initial-advertise-peer-urls={peer}',
                f'--initial-cluster=bench={peer}']

    def is_ready(self):
        # The port is open before there is a leader.
        return super().is_ready() and subprocess.run(
            ['etcdctl', f'--endpoints={self.url}', 'endpoint', 'health'],
            env=os.environ | {'ETCDCTL_API': '3'}, capture_output=True).returncode == 0


class Redis(Server):
    def command(self):
        # Each write is on the disk before it is acknowledged, and nothing else is written.
        return ['redis-server', '--bind', '127.0.0.1', '--port', self.port, '--dir', '.',
                '--appendonly', 'yes', '--appendfsync', 'always', '--save', '',
                '--auto-aof-rewrite-percentage', '0']


class Nginx(Server):
    """Serves the files in self.www, and takes more of them at /dav/; at /dkv/ it serves those of a Dkv."""

    def __init__(self, directory, dkv):
        super().__init__(directory)
        self.dkv = dkv

    def prepare(self):
        self.www = self.directory / 'www'
        (self.www / 'dav').mkdir(parents=True)
        text = (HERE / 'nginx.conf').read_text()
        for name, value in ('DIRECTORY', self.directory), ('PORT', self.port), ('DKV', self.dkv.directory):
            text = text.replace(f'@{name}@', str(value))
        (self.directory / 'nginx.conf').write_text(text)

    def command(self):
        # Of root's server the workers would run as somebody else, who cannot read our files.
        user = ['-g', 'user root;'] if os.geteuid() == 0 else []
        return ['nginx', '-p', self.directory, '-c', self.directory / 'nginx.conf',
                '-e', 'stderr', *user]


class Dkv:
    """A sandbox, with the configuration that dkv has by default, whose flushes are counted; see flushes.c."""

    def __init__(self, build, directory, volumes, name='dkv'):
        self.build = build
        self.directory = directory / f'{name}-{volumes}'
        self.volumes = volumes
        self.port = free_ports(2 * (1 + volumes))  # some for volumes that are added
        self.url = f'http://127.0.0.1:{self.port}'

    def __enter__(self):
        self.prepare()
        os.environ.update(LD_PRELOAD=str(self.library), BENCH_FLUSHES=str(self.flushes))
        try:
            self.sandbox('start', f'--volumes={self.volumes}', f'--port={self.port}')
        finally:
            del os.environ['LD_PRELOAD'], os.environ['BENCH_FLUSHES']
        return self

    def __exit__(self, *_):
        self.sandbox('stop')

    def prepare(self):
        self.library = self.directory.with_suffix('.so')
        self.flushes = self.directory.with_suffix('.flushes')
        self.flushes.mkdir()
        run('cc', '-shared', '-fPIC', '-O2', '-D_GNU_SOURCE', '-o', self.library, HERE / 'flushes.c')

    def sandbox(self, command, *options):
        return run(self.build / 'cli' / 'dkv-sandbox', command, self.directory, *options)

    def dkvadm(self, *words):
        return run(self.build / 'cli' / 'dkvadm', '--sandbox', self.directory, *words)

    def usage(self):
        """Of each of its daemons so far, by name."""
        status = json.loads(self.sandbox('status', '--json'))
        processes = {'master': status['master']['pid'],
                     **{f'volume {one["number"]}': one['pid'] for one in status['volumes']}}
        return {name: self.usage_of(pid) for name, pid in processes.items()}

    def usage_of(self, pid):
        process = pathlib.Path('/proc', str(pid))
        tasks = list((process / 'task').iterdir())
        return read_usage([(task / 'schedstat').read_text() for task in tasks],
                          [(task / 'status').read_text() for task in tasks], (process / 'io').read_text(),
                          int.from_bytes((self.flushes / str(pid)).read_bytes(), 'little'))


class Growing(Dkv):
    """One whose three volumes are filled by fill(), before a fourth is added; nothing is left of it."""

    def __init__(self, build, directory, fill):
        super().__init__(build, directory, volumes=3, name='growing')
        self.fill = fill

    def __enter__(self):
        super().__enter__()
        try:
            self.fill(self)
            self.sandbox('add')
            os.sync()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        super().__exit__()
        shutil.rmtree(self.directory)
        shutil.rmtree(self.flushes)

    def rebalance(self, *options):
        self.dkvadm('rebalance', '--yes', *options)

    def job(self):
        return json.loads(self.dkvadm('--json=short', 'job', 'show', 1))

    def moved_alone(self):
        """Rebalances; returns what a second was good for, in keys and in bytes."""
        self.rebalance()
        job = self.job()
        seconds = (job['ended_at'] - job['started_at']) / 1e6
        return job['keys_done'] / seconds, job['bytes_done'] / seconds
