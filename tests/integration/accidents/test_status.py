# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults, planted for real: what `dkvadm status` says about each of them, what it advises, and what
clients get meanwhile. One row is one fault."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import typing

import pytest

from cluster import DEADLINE, DKVADM, SANITIZED, SUPPORT, Cluster, wait_for
from link import Link

BRIEF = {'VolumeTimeoutSec': '1s', 'GraceSec': '2s', 'TicketSec': '2s'}
SMALL, LARGE = b's' * 100, b'l' * 300_000
WELL = 'Volumes 1, 2 and 3 are up.'
AT = r'since \d\d:\d\d:\d\d'
URL = r'http://127\.0\.0\.1:\d+'


class Fault(typing.NamedTuple):
    name: str
    plant: typing.Callable  # of the house; returns how to undo it
    level: str
    sentence: str  # a regular expression: what the reason begins with
    advice: str  # what the advice contains
    writes: set = {201}
    reads: set = {200}


class House:
    """Three volumes with two copies, and a small disk."""

    def __init__(self, directory, master=None, **arguments):
        self.small = directory / 'small'
        self.small.mkdir()
        self.filler = self.small / 'filler'
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=320M', 'tmpfs', self.small], check=True)
        self.cluster = None
        try:
            self.cluster = Cluster(directory, copies=2, bus=True,
                                   master={**BRIEF, **(master or {})}, **arguments)
        except BaseException:
            self.close()
            raise

    def furnish(self):
        try:
            self.cluster.wait_healthy()
            for n in range(20):
                self.cluster.put(f'old/{n}', (SMALL, LARGE)[n % 2]).expect(201)
            self.await_well()
        except BaseException:  # the fixture is not there yet, which would clean up
            self.close()
            raise
        return self

    def close(self):
        try:
            if self.cluster:
                self.cluster.close()
        finally:
            subprocess.run(['umount', '-l', self.small], check=True)

    def await_well(self):
        wait_for(lambda: status(self.cluster)[1] == WELL, 'everything to be well again')

    def stop(self, *who, sig=signal.SIGKILL):
        for one in who:
            self.cluster.kill(one, sig)
        if sig == signal.SIGKILL:
            return lambda: [self.cluster.start(one) for one in who]
        return lambda: [self.cluster.kill(one, signal.SIGCONT) for one in who]

    def restart(self, who):
        self.cluster[who].stop()
        self.cluster[who].start()

    def fill(self, left=0):
        with open(self.filler, 'wb', buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b'x' * 65536)
        os.truncate(self.filler, self.filler.stat().st_size - left)
        return self.filler.unlink

    def another(self, n, **settings):
        """One more daemon, with the number of a volume that is there or a new one."""
        before = self.cluster.volumes.pop(n, None)
        path = pathlib.Path(tempfile.mkdtemp(dir=self.cluster.directory))
        daemon = self.cluster.new_volume(n, **{'Directory': path / 'data', **settings})
        daemon.name, daemon.log = 'another', path / 'log'
        daemon.conf = path / 'another.conf'
        del self.cluster.volumes[n]
        if before:
            self.cluster.volumes[n] = before
        daemon.start()
        return daemon.kill

    def other_secret(self):
        path = self.cluster.directory / 'other-secret'
        path.write_text('not the one of this cluster')
        path.chmod(0o600)
        return self.another(9, SecretFile=path)

    def set_master(self, **settings):
        before = dict(self.cluster.master.settings)
        self.cluster.master.settings.update(settings)
        self.restart('master')

        def undo():
            self.cluster.master.settings = before
            self.restart('master')
        return undo

    def new_volume(self):
        undo = self.set_master(AutoAddVolumes='no')
        kill = self.another(4)
        return lambda: [kill(), undo()]

    def drain(self):
        self.cluster.dkvadm('volume', 'delete', 3, '--yes', '--no-block', '--rate=1K')
        return lambda: self.cluster.dkvadm('job', 'cancel', max(
            job['id'] for job in self.cluster.dkvadm_json('job', 'list')))

    def remove_and_leave(self):
        kill = self.another(5)
        wait_for(lambda: any(v['number'] == 5 and v['up'] for v in self.cluster.health()['volumes']))
        self.cluster.dkvadm('volume', 'delete', 5, '--yes')
        return kill

    def wrong_address(self):
        self.cluster.dkvadm('volume', 'set', 2, f'--url=http://127.0.0.1:{self.cluster[1].port}')
        return lambda: self.cluster.dkvadm('volume', 'set', 2, '--url=')

    def second_run(self):
        path = pathlib.Path(tempfile.mkdtemp(dir=self.cluster.directory)) / 'data'
        self.cluster[2].stop()
        shutil.copytree(self.cluster[2].data, path)
        self.cluster[2].start()
        self.await_well()
        return self.another(2, Directory=path)

    def other_cluster(self):
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.cluster.directory))
        other = Cluster(directory, volumes=1)
        other.put('k', SMALL).expect(201)
        other[1].stop()
        path = directory / 'stranger'
        shutil.copytree(other[1].data, path)
        other.close()
        return self.another(1, Directory=path)

    def maintain(self):
        self.cluster.dkvadm('volume', 'maintenance', 2, 'on')
        return lambda: self.cluster.dkvadm('volume', 'maintenance', 2, 'off')

class Haunted(House):
    """The second volume is reached by a link that can be cut, the third is on the small disk, and
    each daemon does as mishap.c is told."""

    def __init__(self, directory, library):
        super().__init__(directory, data={3: directory / 'small' / 'data'})
        self.link = Link(self.cluster[2].port)
        self.cluster[2].settings['Url'] = f'http://127.0.0.1:{self.link.port}'
        for daemon in self.cluster.daemons:
            daemon.stop()
        for daemon in self.cluster.daemons:
            daemon.environment = {'LD_PRELOAD': str(library),
                                  'DKV_MISHAP': str(daemon.conf.with_suffix('.mishap'))}
            daemon.start()

    def mishap(self, who, line):
        path = self.cluster[who].conf.with_suffix('.mishap')
        path.write_text(line + '\n')
        return lambda: path.write_text('')

    def cut(self):
        self.link.stall()
        return self.link.open

    def lose_directory(self):
        path = next(path for path in sorted((self.cluster[1].data / 'objects').iterdir())
                    if not any(path.iterdir()))
        path.rmdir()

        return lambda: [path.mkdir(), self.restart(1)]

    def restart_master(self):
        undo = self.stop(1)
        wait_for(lambda: 'is down' in status(self.cluster)[1])
        self.cluster.master.settings['VolumeTimeoutSec'] = '10s'
        self.restart('master')

        def undo_both():
            undo()
            self.cluster.master.settings['VolumeTimeoutSec'] = '1s'
            self.restart('master')
        return undo_both

    def refuse_reports(self):
        return self.mishap(1, f'connect {self.cluster.master.port}')

    def cut_volumes(self):
        undo = self.mishap(1, f'connect {self.cluster[3].port}')
        for n in range(20):  # until one has gone from 1 to 3
            self.cluster.put(f'cut/{n}', LARGE).expect(201, 204)
        return undo


def status(cluster):
    done = subprocess.run([DKVADM, f'--sandbox={cluster.directory}', '--json=short', 'status'],
                          capture_output=True, text=True, timeout=DEADLINE, check=False)
    seen = json.loads(done.stdout)
    assert done.returncode == {'ok': 0, 'degraded': 3, 'down': 4}[seen['health']], done
    return seen['health'], seen['reason'], seen['advice']


# pylint: disable=line-too-long
FAULTS = [
    Fault('a volume is dead', lambda house: house.stop(2),
          'degraded', rf'Volume 2 is down {AT}: .* at {URL}', 'systemctl status dkv-volume@2'),
    Fault('a volume hangs', lambda house: house.stop(1, sig=signal.SIGSTOP),
          'degraded', rf'Volume 1 is down {AT}: it takes connections at {URL}, but does not answer\.', 'journalctl -u dkv-volume@1'),
    Fault('two volumes are dead', lambda house: house.stop(1, 2),
          'down', r'Nothing can be stored: 1 of 3 volumes can take new values, Copies=2 needs 2\. Volumes 1 and 2 are down\.', "On the first one's machine", {503}, {200, 503}),
    Fault('all volumes are dead', lambda house: house.stop(1, 2, 3),
          'down', r'Nothing can be stored: 0 of 3 volumes can take new values, Copies=2 needs 2\. Volumes 1, 2 and 3 are down\.', 'dkv-volume@1', {503}, {503}),
    Fault('a firewall before a volume', Haunted.cut,
          'degraded', rf'Volume 2 cannot be reached from the master at {URL} {AT}, though it reports\.', 'Look at firewalls'),
    Fault('a firewall behind a volume', Haunted.refuse_reports,
          'degraded', rf'Volume 1 is down {AT}: it answers at {URL}, but its reports do not come through\.', 'journalctl -u dkv-volume@1'),
    Fault('a firewall between volumes', Haunted.cut_volumes,
          'degraded', rf'Volume 1 cannot reach the volumes at 127\.0\.0\.1:\d+ {AT}\.', 'Look at firewalls between these machines'),
    Fault('a full disk', House.fill,
          'degraded', r'Volume 3 is full\.', 'Add a volume'),
    Fault('a disk that is nearly full', lambda house: house.fill(left=270 << 20),
          'degraded', r'Volume 3 is nearly full\.', 'Add a volume'),
    Fault('a quota', lambda house: house.mishap(1, f'create {errno.EDQUOT}'),
          'degraded', r'Volume 1 is full\.', 'Add a volume'),
    Fault('a limit of files', lambda house: house.mishap(1, f'create {errno.EMFILE}'),
          'degraded', rf'Volume 1 lacks resources {AT}: .*: Too many open files\.', 'journalctl -u dkv-volume@1'),
    Fault('a read-only file system', lambda house: house.mishap(1, f'create {errno.EROFS}'),
          'degraded', rf'The file system of volume 1 is read-only {AT}: .*volume-1\.data', 'mount -o remount,rw'),
    Fault('a directory of somebody else', lambda house: house.mishap(1, f'create {errno.EACCES}'),
          'degraded', rf'Volume 1 may not write to its directory {AT}: .*volume-1\.data', 'belong to the user'),
    Fault('an immutable directory', lambda house: house.mishap(1, f'create {errno.EPERM}'),
          'degraded', rf'Volume 1 may not write to its directory {AT}: .*volume-1\.data', 'belong to the user'),
    Fault('a stale network file system', lambda house: house.mishap(1, f'create {errno.ESTALE}'),
          'degraded', rf'The directory of volume 1 is gone or incomplete {AT}: .*volume-1\.data: Stale', 'findmnt'),
    Fault('a directory that was removed', Haunted.lose_directory,
          'degraded', rf'The directory of volume 1 is gone or incomplete {AT}: .*volume-1\.data: No such', 'systemctl restart dkv-volume@1'),
    Fault('a disk that fails', lambda house: house.mishap(1, f'create {errno.EIO}'),
          'degraded', rf'The disk of volume 1 fails {AT}: .*volume-1\.data: Input/output error\.', 'smartctl'),
    Fault('a clock that is ahead', lambda house: house.mishap(1, 'clock 600'),
          'degraded', rf"The clock of volume 1 is (600|599|601) s ahead of the master's {AT}\.", 'timedatectl'),
    Fault('a clock that is behind', lambda house: house.mishap(1, 'clock -600'),
          'degraded', rf"The clock of volume 1 is (600|599|601) s behind the master's {AT}\.", 'timedatectl'),
    Fault("the master's clock is behind", lambda house: house.mishap('master', 'clock -120'),
          'degraded', rf'The clock of the master is (120|119|121) s behind those of all volumes {AT}\.', "On the master's machine"),
    Fault("the master's clock is ahead", lambda house: house.mishap('master', 'clock 120'),
          'degraded', rf'The clock of the master is (120|119|121) s ahead of those of all volumes {AT}\.', "On the master's machine"),
    Fault('a clock that is a little behind', lambda house: house.mishap(1, 'clock -10'),
          'degraded', rf"The clock of volume 1 is (9|10|11) s behind the master's {AT}\.", 'timedatectl'),
    Fault('a restart of the master while a volume is dead', Haunted.restart_master,
          'degraded', r"Volume 1 was not heard of yet since the master's start\.", ''),
]

# What takes no haunted machine.
PLAIN_FAULTS = [
    Fault('a new volume', House.new_volume,
          'ok', r'Volume 4 waits to be added\.', 'dkvadm volume add 4'),
    Fault('maintenance', House.maintain,
          'ok', r'Volume 2 is in maintenance\.', 'dkvadm volume maintenance 2 off'),
    Fault('a volume that is drained', House.drain,
          'ok', r'Volume 3 is being drained\.', ''),
    Fault('a removed volume that reports', House.remove_and_leave,
          'degraded', rf'Volume 5, which was removed, still runs at {URL} {AT}, and is refused\.', 'dkvadm volume remove-config 5'),
    Fault('fewer volumes than copies', lambda house: house.set_master(Copies=4),
          'degraded', r'Active volumes: 3, fewer than Copies=4\.', 'dkvadm volume create NUMBER --add'),
    Fault('an empty directory in the place of a volume', lambda house: house.another(2),
          'degraded', rf'Another store than that of volume 2 reports with its number, from {URL} {AT}, and is refused\.', 'Is the right disk mounted there'),
    Fault('a volume with a wrong address', House.wrong_address,
          'degraded', rf'Volume 2 is not at {URL}.*, and is not used\.', 'dkvadm volume set 2 --url='),
    Fault('a second daemon on a copy of a store', House.second_run,
          'degraded', rf'Two daemons serve the store of volume 2 {AT}: at {URL}, and at {URL}, which is refused\.', 'must never be served twice'),
    Fault('a store of another cluster', House.other_cluster,
          'degraded', rf'(A volume at {URL} belongs to another cluster|Another store than that of volume 1|Volume 1 at {URL} holds values of another index)', 'the right disk mounted there'),
    Fault('another secret', House.other_secret,
          'degraded', rf'A volume at 127\.0\.0\.1 has another secret than the master {AT}\.', 'dkv.secret'),
    Fault('a full disk of the index', House.fill,
          'down', rf"Nothing can be stored {AT}: the disk of the index in '.*' is full\.", 'Make room', {507}),
    Fault('a disk of the index that is nearly full', lambda house: house.fill(left=270 << 20),
          'degraded', r"The disk of the index in '.*' is nearly full\.", 'Make room'),
    Fault('no master', lambda house: house.stop('master'),
          'down', r'The master is not running\.', 'dkv-sandbox start', None, None),
    Fault('a master that hangs', lambda house: house.stop('master', sig=signal.SIGSTOP),
          'down', r'The master does not respond\.', 'See what it is doing', None, None),
]
# pylint: enable=line-too-long


@pytest.fixture(scope='module')
def library(tmp_path_factory):
    if SANITIZED:
        pytest.skip('a preloaded library and a sanitizer exclude each other')
    if os.geteuid() != 0:
        pytest.skip('needs to mount a small tmpfs')
    path = tmp_path_factory.mktemp('mishap') / 'mishap.so'
    source = SUPPORT / 'mishap.c'
    subprocess.run(['cc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', path, source], check=True)
    return path


@pytest.fixture(scope='module')
def house(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip('needs to mount a small tmpfs')
    directory = tmp_path_factory.mktemp('house')
    one = House(directory, master={'Directory': directory / 'small' / 'master'}).furnish()
    yield one
    one.close()


@pytest.fixture(scope='module')
def haunted(tmp_path_factory, library):
    one = Haunted(tmp_path_factory.mktemp('haunted'), library).furnish()
    yield one
    one.close()


def told(cluster, fault):
    level, reason, advice = status(cluster)
    return level == fault.level and re.match(fault.sentence, reason) and fault.advice in advice


def await_told(cluster, fault):
    with contextlib.suppress(AssertionError):
        wait_for(lambda: told(cluster, fault))
    level, reason, advice = status(cluster)
    assert level == fault.level, (level, reason, advice)
    assert re.match(fault.sentence, reason), (level, reason, advice)
    assert fault.advice in advice, (level, reason, advice)


def check(house, fault):
    undo = fault.plant(house)
    try:
        await_told(house.cluster, fault)
        for n in range(12 if fault.writes else 0):
            key = f'{fault.name}/{n}'
            house.cluster.put(key, (SMALL, LARGE)[n % 2]).expect(*fault.writes)
        for n in range(20 if fault.reads else 0):
            house.cluster.get(f'old/{n}').expect(*fault.reads)
    finally:
        undo()
        house.await_well()


@pytest.mark.parametrize('fault', PLAIN_FAULTS, ids=[fault.name for fault in PLAIN_FAULTS])
def test_fault(house, fault):
    check(house, fault)


@pytest.mark.parametrize('fault', FAULTS, ids=[fault.name for fault in FAULTS])
def test_fault_of_a_machine(haunted, fault):
    check(haunted, fault)


def longest_write(cluster, key):
    """Writes for two seconds. Returns how long the longest took; all of them succeed."""
    longest, end, n = 0, time.monotonic() + 2, 0
    while time.monotonic() < end:
        began, n = time.monotonic(), n + 1
        cluster.put(f'{key}/{n}', SMALL).expect(201)
        longest = max(longest, time.monotonic() - began)
    return longest


@pytest.mark.parametrize('how', [Haunted.cut, lambda house: house.stop(1, sig=signal.SIGSTOP),
                                 lambda house: house.stop(1)], ids=['cut', 'hangs', 'dies'])
def test_no_write_waits_for_a_volume_that_is_gone(haunted, how, request):
    """From the very moment on."""
    undo = how(haunted)
    try:
        assert longest_write(haunted.cluster, request.node.name) < 3
    finally:
        undo()
        haunted.await_well()


def test_job_says_until_when_it_waits(new_cluster):
    """What a rebalance has moved away is deleted after the grace time, and no copy of the same
    version may come there before."""
    cluster = new_cluster(volumes=3, bus=True)
    for n in range(60):
        cluster.put(f'{n}', SMALL).expect(201)
    cluster.dkvadm('volume', 'set', 1, '--weight=9')
    cluster.dkvadm('rebalance', '--yes')

    plan = cluster.dkvadm('set', 'copies=2', '--dry-run')
    assert re.search(r'The job waits until \d\d:\d\d(:\d\d)?, when old copies are deleted\.', plan), plan
    cluster.dkvadm('set', 'copies=2', '--yes', '--no-block')

    def waiting():
        job = cluster.dkvadm_json('job', 'list')[-1]
        return job if job['error'].startswith('Waits until') else None

    job = wait_for(waiting, 'the job to wait')
    assert re.fullmatch(r'Waits until \d\d:\d\d:\d\d, when old copies are deleted\.', job['error'])
    assert time.time() < job['waits_until'] / 1e6 < time.time() + 610
    cluster.dkvadm('job', 'cancel', job['id'])
