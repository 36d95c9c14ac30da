# SPDX-License-Identifier: LGPL-2.1-or-later
"""The world of a random schedule: a cluster whose disks fill and whose connections are cut, clients
that write and read all along, and what must be true when all is well again."""

import collections
import concurrent.futures
import contextlib
import json
import os
import random
import re
import subprocess
import threading
import time
import traceback
import urllib.parse

from cluster import DKVADM, SANITIZED, Cluster
from link import Link
from model import ABSENT, GONE_WRONG, Client, Violation
from signed import read_url

SETTINGS = {'GraceSec': '2s', 'TicketSec': '1s', 'VolumeTimeoutSec': '1s', 'TimeoutSec': '5s',
            'ReserveSize': '16M', 'CheckpointSize': '2M', 'StopSec': '5s'}
VOLUME_SETTINGS = {name: SETTINGS[name] for name in
                   ('TimeoutSec', 'ReserveSize', 'CheckpointSize', 'StopSec')}
DISK_SIZE, RESERVE = 256 << 20, 16 << 20
N_CLIENTS, N_KEYS, VOLUMES_MAX = 4, 60, 8
FULL_AFTERWARDS = 5  # until everybody has heard that there is room again
PATIENCE = 180 if SANITIZED else 90

# What dkvadm may refuse, if it does so in these words.
REFUSED = re.compile('fewer active volumes|than there would be|has ended already|no job|'
                     'is being drained by job')
REFUSED_IF_FULL = re.compile('less free space')


class World:
    """The cluster, its clients, and what is out of order."""

    def __init__(self, directory, seed, has_disks):
        self.random = random.Random(seed)
        self.seed, self.directory, self.has_disks = seed, directory, has_disks
        self.begin = time.monotonic()
        self.violations = []
        self.is_over = False
        self.condition = threading.Condition()  # for these two
        self.n_acting, self.rest = 0, False

        self.troubles = {}  # who -> how many things are wrong with it
        self.calm = {'master': self.begin}  # who -> since when nothing is
        self.full = set()
        self.full_until = 0
        self.undo = []      # (when, what is said, who, what is done)
        self.dead = None    # the volume that is being deleted though it is dead
        self.links = {}
        self.bus_is_away = self.was_full = False
        self.threads = []

        self.copies = self.random.choice([1, 2, 2, 3])
        self.zones = self.random.random() < 0.3
        self.make_disk('master')
        self.cluster = Cluster(directory, volumes=0, copies=self.copies, bus=True, wait=False,
                               master={'AutoAddVolumes': 'no', **SETTINGS}, volume=VOLUME_SETTINGS)
        self.clients, self.keys = self.make_clients()
        self.by_name = {key.name: key for key in self.keys}

    def make_clients(self):
        """Those who write and read, and the keys that a model watches."""
        clients = [Client(self, f'client-{i}', f'{self.seed}/{i}', N_KEYS)
                   for i in range(N_CLIENTS)]
        return clients, [key for client in clients for key in client.keys]

    def say(self, text):
        print(f'{time.monotonic() - self.begin:7.2f}  {text}', flush=True)

    # Disks and volumes

    def make_disk(self, name):
        path = self.directory / name
        path.mkdir()
        if self.has_disks:
            subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={DISK_SIZE}', 'tmpfs', path],
                           check=True)

    def new_volume(self):
        n = len(self.cluster.volumes) + 1
        self.make_disk(f'disk-{n}')
        volume = self.cluster.new_volume(n, Directory=self.directory / f'disk-{n}' / 'data',
                                         InlineMax=self.random.choice(['32K', '32K', '1K']))
        if self.random.random() < 0.4:
            self.links[n] = {'to': Link(volume.port), 'from': Link(self.cluster.master.port)}
            volume.settings['Url'] = f'http://127.0.0.1:{self.links[n]["to"].port}'
            volume.settings['Master'] = f'http://127.0.0.1:{self.links[n]["from"].port}'
        if self.zones:
            volume.settings['Zone'] = 'ab'[n % 2]
        self.calm[n] = time.monotonic()
        volume.start()
        return n

    # What is out of order

    def trouble(self, who, n=1):
        self.troubles[who] = self.troubles.get(who, 0) + n
        self.calm[who] = time.monotonic()

    def calm_since(self, key):
        """Since when the key should be readable: the master, and a volume that has a copy, are
        well. None while it need not be."""
        if self.troubles.get('master'):
            return None
        try:
            copies = self.cluster.where(key)['copies']
        except (AssertionError, *GONE_WRONG):
            copies = []
        well = [self.calm[copy['volume']] for copy in copies
                if not self.troubles.get(copy['volume']) and self.is_in_map(copy['volume'])]
        if copies and not well:
            return None
        return max([self.calm['master']] + sorted(well)[:1])

    def is_in_map(self, n):
        return self.cluster[n].process is not None

    def is_full(self):
        return self.full or time.monotonic() < self.full_until

    def is_well(self, who):
        return not self.troubles.get(who) and self.cluster[who].process is not None

    def kill(self, who):
        self.trouble(who)
        self.cluster.kill(who)

    def start(self, who):
        self.cluster.start(who)
        self.trouble(who, -1)

    def kill_all(self):
        running = [who for who in ['master', *self.cluster.volumes] if self.cluster[who].process]
        for who in running:
            self.kill(who)
        for who in running:
            self.start(who)

    def start_bus(self):
        self.cluster.bus.start()
        self.bus_is_away = False

    def fill(self, disk):
        """Leaves so little room that nothing is stored any more, and values can be deleted."""
        self.full.add(disk)
        self.was_full = True  # what the master knows of it is older
        with open(self.directory / disk / 'filler', 'wb') as filler:
            status = os.fstatvfs(filler.fileno())
            os.posix_fallocate(filler.fileno(), 0,
                               status.f_bavail * status.f_frsize - RESERVE // 2)

    def free(self, disk):
        (self.directory / disk / 'filler').unlink()
        self.full.remove(disk)
        self.full_until = time.monotonic() + FULL_AFTERWARDS

    def later(self, seconds, text, who, function):
        self.undo.append((time.monotonic() + seconds, text, who, function))

    def run_due(self, now=None):
        """Undoes what is due by now, by default all that there is."""
        self.undo.sort(key=lambda one: one[0])
        while self.undo and (now is None or self.undo[0][0] <= now):
            _, text, _, function = self.undo.pop(0)
            self.say(text)
            function()

    def run_due_of(self, who):
        for one in [one for one in self.undo if one[2] == who]:
            self.undo.remove(one)
            self.say(one[1])
            one[3]()

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while not self.violations:
            now = time.monotonic()
            self.run_due(now)
            if now >= end:
                break
            time.sleep(max(0.001, min([end, *(one[0] for one in self.undo)]) - now))
        self.look_at_daemons()

    def look_at_daemons(self):
        for daemon in self.cluster.daemons:
            if daemon.process and daemon.process.poll() is not None:
                raise Violation(f'{daemon.name} ended with {daemon.process.returncode}')
        if self.violations:
            raise self.violations[0]

    # Clients

    @contextlib.contextmanager
    def turn(self):
        with self.condition:
            self.condition.wait_for(lambda: not self.rest)
            self.n_acting += 1
        try:
            yield
        finally:
            with self.condition:
                self.n_acting -= 1
                self.condition.notify_all()

    @contextlib.contextmanager
    def resting(self):
        """Nobody writes or reads for a while."""
        with self.condition:
            self.rest = True
            if not self.condition.wait_for(lambda: self.n_acting == 0, PATIENCE):
                raise Violation(f'a request has not ended within {PATIENCE} s')
        try:
            yield
        finally:
            with self.condition:
                self.rest = False
                self.condition.notify_all()

    def for_clients(self, function):
        """Calls FUNCTION for each client, at once, and waits. Complaints are kept."""
        def run(client):
            try:
                function(client)
            except Exception as error:  # pylint: disable=broad-except
                if not isinstance(error, Violation):
                    traceback.print_exc()
                self.violations.append(error)

        threads = [threading.Thread(target=run, args=[client]) for client in self.clients]
        for thread in threads:
            thread.start()
        return threads

    def begin_all(self):
        """Three volumes, with values, and clients who are at it."""
        self.begin_volumes()
        for thread in self.for_clients(Client.fill):
            thread.join()
        self.look_at_daemons()
        self.say(f'{sum(c.acknowledged for c in self.clients)} keys, {self.copies} copies')
        self.threads = self.for_clients(Client.run)

    def begin_volumes(self):
        new = [self.new_volume() for _ in range(3)]
        self.wait_until(lambda: self.run_adm('volume', 'list').returncode == 0, 'the master')
        self.adm('volume', 'add', *new, '--no-rebalance', '--yes')
        self.wait_up()

    def join_clients(self):
        for thread in self.threads:
            thread.join()
        self.look_at_daemons()

    # dkvadm

    def start_adm(self, *arguments, form='--json=short'):
        return subprocess.Popen(
            [DKVADM, f'--sandbox={self.directory}', form, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_adm(self, *arguments, form='--json=short'):
        with self.start_adm(*arguments, form=form) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def adm(self, *arguments, refused=False):
        """Returns what it prints as JSON, or None if it was refused."""
        done = self.run_adm(*arguments)
        command = ' '.join(map(str, arguments))
        if done.returncode == 0 or (arguments == ('status',) and done.returncode in (3, 4)):
            if refused:
                raise Violation(f'dkvadm {command} was not refused')
            return json.loads(done.stdout) if done.stdout.startswith(('{', '[')) else {}
        if not (REFUSED.search(done.stderr) or
                (self.was_full and REFUSED_IF_FULL.search(done.stderr))):
            raise Violation(f'dkvadm {command}: {done.returncode} {done.stderr}')
        self.say(f'        {command}: {done.stderr.splitlines()[0]}')
        return None

    def jobs(self, *states):
        return [job for job in self.adm('job', 'list') or [] if not states or job['state'] in states]

    def wait_job(self, job):
        """Returns it when it has ended."""
        def ended():
            now = self.adm('job', 'show', job)
            return now if now['state'] in ('done', 'failed', 'cancelled') else None

        return self.wait_until(ended, f'the end of job {job}')

    def release_jobs(self):
        """Nothing keeps them from ending."""
        for job in self.jobs('paused'):
            self.adm('job', 'resume', job['id'])
        for job in self.jobs('queued', 'running'):
            self.adm('job', 'set', job['id'], '--rate=0')

    def lost_keys(self, job):
        """As the job names them."""
        text = self.run_adm('job', 'show', job['id'], form='--json=off').stdout
        names = [line.strip() for line in text.splitlines() if line.startswith('  client')]
        if len(names) != job['lost_keys'] or not set(names) <= set(self.by_name):
            raise Violation(f'{len(names)} lost keys instead of {job["lost_keys"]}: {names}')
        return names

    def give_up(self, job):
        """What the job could not save, and was told to leave."""
        for name in self.lost_keys(job):
            self.by_name[name].is_lost = True

    def in_state(self, *states):
        return [v['number'] for v in self.adm('volume', 'list') if v['state'] in states]

    def limits(self, rng):
        options = ['--no-block', '--yes']
        if rng.random() < 0.7:
            options.append(f'--rate={rng.choice(["300K", "2M", "8M"])}')
        if rng.random() < 0.5:
            options.append(f'--parallel={rng.choice([1, 3, 8])}')
        return options

    # What must be true

    def verify_keys(self):
        """Every key has a value that it may have, all of it, and the list has no others."""
        for thread in self.for_clients(lambda c: [c.look(key, True, must=True) for key in c.keys]):
            thread.join()
        self.look_at_daemons()
        listed, after = set(), ''
        while after is not None:
            page = self.cluster.list(after=after, limit=100)
            listed |= {urllib.parse.unquote(entry['key']) for entry in page['keys']}
            after = page.get('after')
        for key in self.keys:
            allowed = key.allowed()
            if ABSENT not in allowed and key.name not in listed:
                raise Violation(f'not listed; {key}')
            if allowed == {ABSENT} and key.name in listed:
                raise Violation(f'listed; {key}')
        if not listed <= set(self.by_name):
            raise Violation(f'listed, and never written: {listed - set(self.by_name)}')
        return listed

    def wait_until(self, condition, what):
        end = time.monotonic() + PATIENCE
        while True:
            result = condition()
            if result:
                return result
            self.look_at_daemons()
            if time.monotonic() > end:
                raise Violation(f'not within {PATIENCE} s: {what}')
            time.sleep(0.05)

    def wait_up(self):
        """Until the master sees all that run."""
        def are_up():
            try:
                seen = {v['number']: v for v in self.cluster.health()['volumes']}
                return all(seen[n]['up'] or seen[n]['state'] == 'removed'
                           for n, volume in self.cluster.volumes.items() if volume.process)
            except (KeyError, AssertionError, *GONE_WRONG):
                return False

        self.wait_until(are_up, 'all volumes are up')

    def wait_clean(self, active):
        """Until nothing is garbage or pending."""
        def is_clean():
            return (self.cluster.health()['garbage'] == 0
                    and all(self.cluster.health(n)['pending'] == 0 for n in active))

        self.wait_until(is_clean, 'no garbage, and nothing pending')

    def verify_copies(self, listed):
        """Each key has as many copies as it should on the volumes that there are; each can be read
        from there; and the volumes hold nothing else."""
        status = self.adm('status')
        active = {v['number'] for v in status['volumes'] if v['state'] == 'active'}
        wanted = min(status['master']['copies'], len(active))
        self.wait_clean(active)
        keys = [self.by_name[name] for name in sorted(listed)]
        with concurrent.futures.ThreadPoolExecutor(N_CLIENTS) as pool:
            places = list(pool.map(lambda key: self.verify_copies_of(key, active, wanted), keys))
        held = collections.Counter(n for place in places for n in place)
        for n in sorted(active):
            objects = self.cluster.health(n)['objects']
            if objects != held[n]:
                raise Violation(f'volume {n} holds {objects} objects, of which {held[n]} count')
        return wanted, len(active)

    def verify_copies_of(self, key, active, wanted):
        copies = {c['volume']: c['url'] for c in self.cluster.where(key.name)['copies']}
        if key.is_lost and not active & set(copies):
            if self.cluster.get(key.name).status != 503:
                raise Violation(f'is lost, and not answered so; {key}')
            return []
        if len(copies) != wanted or not active >= set(copies):
            raise Violation(f'{wanted} copies should be on {sorted(active)}, and {len(copies)} '
                            f'are on {sorted(copies)}; {key}')
        for n in copies:
            answer = self.read_from(n, key)
            if answer.status != 200 or key.settled not in key.candidates(answer.body):
                raise Violation(f'{answer} from volume {n}; {key}')
        return copies

    def read_from(self, n, key):
        """Reads the key from this volume, with a ticket of our own: the master's are for the volume
        that it has chosen."""
        version = self.cluster.where(key.name)['object']
        return self.cluster.request('GET', read_url(self.cluster, n, key.name, version))
