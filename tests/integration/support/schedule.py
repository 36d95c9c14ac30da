#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""One random schedule: what administrators and accidents do to a cluster while clients write and
read. Usage: schedule.py SEED

The same seed makes the same choices; what becomes of them depends on who is faster. What is done is
printed, and the last line says how it went. The exit status is 1 if anything was found that must
not be; then the logs are printed, too."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from model import Violation
from world import VOLUMES_MAX, World

N_STEPS = 10


class Schedule:
    """The steps. Each has a random generator of its own, so that it is the same whatever became of
    those before it."""

    def __init__(self, world, seed):
        self.world, self.cluster, self.seed = world, world.cluster, seed

    def say(self, text):
        self.world.say(text)

    def active(self):
        return self.world.in_state('active')

    def ready_master(self):
        """An administrator does nothing before the master is there."""
        self.world.run_due_of('bus')
        self.world.run_due_of('master')
        self.world.wait_until(self.is_there, 'the master')

    def is_there(self):
        return self.world.run_adm('job', 'list').returncode == 0

    # Volumes come and go

    def add(self, rng):
        n = min(rng.choice([1, 1, 2]), VOLUMES_MAX - len(self.cluster.volumes))
        options = self.world.limits(rng) + ['--no-rebalance'] * (rng.random() < 0.2)
        if n == 0:
            return
        self.ready_master()
        new = [self.world.new_volume() for _ in range(n)]
        self.say(f'add {new} {options}')
        self.world.adm('volume', 'add', *new, *options)

    def delete(self, rng):
        n, options = rng.choice([1, 1, 1, 2]), self.world.limits(rng)
        self.ready_master()
        is_calm = not self.world.in_state('draining')  # else some may be active again by and by
        active = self.active()
        leaving = sorted(rng.sample(active, min(n, len(active))))
        status = self.world.adm('status')
        self.say(f'delete {leaving} {options}')
        self.world.adm('volume', 'delete', *leaving, *options, refused=is_calm and
                       len(active) - len(leaving) < status['master']['copies'])

    def delete_dead(self, rng):
        options = self.world.limits(rng) + ['--accept-loss'] * (rng.random() < 0.3)
        accept = rng.random() < 0.5
        self.world.run_due()
        self.ready_master()
        active = self.active()
        if self.world.dead or len(active) <= self.world.adm('status')['master']['copies']:
            return
        victim = rng.choice(active)
        self.say(f'kill {victim} for good, delete it {options}')
        self.world.kill(victim)
        self.world.dead = (victim, accept)
        if self.world.adm('volume', 'delete', victim, *options) is None:
            self.world.dead = None
            self.world.start(victim)

    def rebalance(self, rng):
        options = self.world.limits(rng)
        self.ready_master()
        self.say(f'rebalance {options}')
        self.world.adm('rebalance', *options)

    def copies(self, rng):
        copies, options = rng.randrange(1, 4), self.world.limits(rng)
        self.ready_master()
        self.say(f'set copies={copies} {options}')
        status = self.world.adm('status')
        self.world.adm('set', f'copies={copies}', *options,
                       refused=copies > max(len(self.active()), status['master']['copies']))

    def weight(self, rng):
        self.ready_master()
        n, weight = rng.choice(self.active()), rng.randrange(1, 4)
        self.say(f'weight of {n}: {weight}')
        self.world.adm('volume', 'set', n, f'--weight={weight}')

    def maintenance(self, rng):
        seconds = rng.random() * 2
        self.ready_master()
        n = rng.choice(self.active())
        self.say(f'maintenance of {n} for {seconds:.1f} s')
        self.world.adm('volume', 'maintenance', n, 'on')
        self.world.later(seconds, f'maintenance of {n} ends', None, lambda: (
            self.ready_master(), self.world.adm('volume', 'maintenance', n, 'off')))

    def to_and_fro(self, rng):
        """Copies come back to where they are about to be deleted."""
        kind, seconds = rng.choice(['drain', 'copies']), rng.random() * 0.5
        self.ready_master()
        copies, active = self.world.adm('status')['master']['copies'], self.active()
        if len(active) <= copies:
            return
        if kind == 'drain':
            n = rng.choice(active)
            self.say(f'delete {n}, cancel that after {seconds:.1f} s')
            job = self.world.adm('volume', 'delete', n, '--no-block', '--yes')
            self.world.wait(seconds)
            self.ready_master()
            if job:
                self.world.adm('job', 'cancel', job['job'])
            self.world.adm('rebalance', '--no-block', '--yes')
        else:
            there = copies - 1 or 2
            self.say(f'set copies={there}, and {copies} again after {seconds:.1f} s')
            self.world.adm('set', f'copies={there}', '--no-block', '--yes')
            self.world.wait(seconds)
            self.ready_master()
            self.world.adm('set', f'copies={copies}', '--no-block', '--yes')

    # Jobs

    def a_job(self, rng, *states):
        choice = rng.random()
        self.ready_master()
        jobs = self.world.jobs(*states)
        return jobs[int(choice * len(jobs))]['id'] if jobs else None

    def pause(self, rng):
        seconds = rng.random() * 2
        job = self.a_job(rng, 'queued', 'running')
        if job:
            self.say(f'pause job {job} for {seconds:.1f} s')
            self.world.adm('job', 'pause', job)
            self.world.later(seconds, f'resume job {job}', None, lambda: (
                self.ready_master(), self.world.adm('job', 'resume', job)))

    def cancel(self, rng):
        job = self.a_job(rng, 'queued', 'running', 'paused')
        if job:
            self.say(f'cancel job {job}')
            self.world.adm('job', 'cancel', job)

    def set_limits(self, rng):
        rate, parallel = rng.choice(['0', '300K', '5M']), rng.choice([1, 2, 16])
        job = self.a_job(rng, 'queued', 'running', 'paused')
        if job:
            self.say(f'job {job}: rate {rate}, parallel {parallel}')
            self.world.adm('job', 'set', job, f'--rate={rate}', f'--parallel={parallel}')

    # Accidents

    def some(self, rng, n=1):
        """Daemons that nothing has happened to so far."""
        whole = [who for who in ['master', *self.cluster.volumes] if self.world.is_well(who)]
        weights = [2 if who == 'master' else 1 for who in whole]
        return list(dict.fromkeys(rng.choices(whole, weights, k=n))) if whole else []

    def kill(self, rng):
        seconds = rng.choice([0, rng.random() * 0.3, rng.random() * 2])
        victims = self.some(rng, rng.choice([1, 1, 1, 2, 3, 20]))
        self.say(f'kill {victims} for {seconds:.1f} s')
        for who in victims:
            self.world.kill(who)
            self.world.later(seconds, f'start {who}', who, lambda who=who: self.world.start(who))

    def kill_amid(self, rng):
        """The master, at about the time when it changes the map and starts a job."""
        seconds, kind = rng.random() * 0.06, rng.choice(['add', 'delete', 'copies'])
        self.world.run_due()
        self.ready_master()
        active = self.active()
        if kind == 'add' and len(self.cluster.volumes) < VOLUMES_MAX:
            command = ['volume', 'add', self.world.new_volume()]
            self.world.wait_up()
        elif kind == 'delete' and len(active) > 1:
            command = ['volume', 'delete', rng.choice(active)]
        else:
            command = ['set', f'copies={rng.randrange(1, 3)}']
        self.say(f'{" ".join(map(str, command))}, and kill the master after {seconds:.3f} s')
        process = self.world.start_adm(*command, '--no-block', '--yes')
        time.sleep(seconds)
        self.world.kill('master')
        self.world.start('master')
        process.communicate(timeout=60)
        self.say(f'        which returned {process.returncode}')

    def last_mile(self, rng):
        """A kill at about the time when a volume is removed from the map."""
        seconds, who = 5.5 + rng.random() * 2, rng.choice(['master', 'master', 'volume'])
        self.ready_master()
        drains = [job for job in self.world.jobs('running') if job['type'] == 'drain']
        if not drains or not self.world.is_well('master'):
            return
        job = drains[0]
        begin = job['started_at'] / 1e6 or time.time()
        self.world.wait(max(0, begin + seconds - time.time()))
        victim = who if who == 'master' else job['volumes'][0]
        if self.world.is_well(victim):
            self.say(f'kill {victim}')
            self.world.kill(victim)
            self.world.start(victim)

    def bus(self, rng):
        seconds = rng.random()
        if not self.world.bus_is_away:
            self.say(f'no bus for {seconds:.1f} s')
            self.world.bus_is_away = True
            self.cluster.bus.kill()
            self.world.later(seconds, 'bus', 'bus', self.world.start_bus)

    def restart(self, rng):
        for who in self.some(rng):
            self.say(f'restart {who}')
            self.world.trouble(who)
            status = self.cluster.kill(who, signal.SIGTERM)
            if status not in (0, -signal.SIGTERM):  # the latter if it was about to start
                raise Violation(f'{who} stopped with {status}')
            self.world.start(who)

    def hang(self, rng):
        seconds = rng.random() * 2
        for who in self.some(rng, rng.choice([1, 1, 2])):
            self.say(f'stop {who} for {seconds:.1f} s')
            self.world.trouble(who)
            self.cluster.kill(who, signal.SIGSTOP)
            self.world.later(seconds, f'continue {who}', who, lambda who=who: (
                self.cluster.kill(who, signal.SIGCONT), self.world.trouble(who, -1)))

    def cut(self, rng):
        n, which, how = rng.random(), rng.choice(['to', 'from']), rng.choice(
            ['reset', 'close', 'stall'])
        seconds = rng.random() * 2
        linked = sorted(n for n in self.world.links if self.world.is_well(n))
        if not linked:
            return
        n = linked[int(n * len(linked))]
        link = self.world.links[n][which]
        self.say(f'connections {which} {n}: {how}')
        self.world.trouble(n)
        getattr(link, how)()
        self.world.later(seconds, f'connections {which} {n} are mended', n, lambda: (
            link.open(), self.world.trouble(n, -1)))

    def fill(self, rng):
        seconds = 0.5 + rng.random() * 2
        who = rng.choice([0, 0, 0, 1]), rng.random()
        if not self.world.has_disks:
            return
        names = [n for n in self.cluster.volumes if self.world.is_well(n)]
        name = 'master' if who[0] or not names else f'disk-{names[int(who[1] * len(names))]}'
        if name not in self.world.full:
            self.say(f'fill {name} for {seconds:.1f} s')
            self.world.fill(name)
            self.world.later(seconds, f'room on {name}', None, lambda: self.world.free(name))

    def check(self, _):
        if self.world.dead:
            return
        self.say('check')
        self.world.run_due()
        self.world.wait_up()
        with self.world.resting():
            self.world.verify_keys()

    WEIGHTS = {add: 5, delete: 5, delete_dead: 1, rebalance: 3, copies: 3, weight: 1, to_and_fro: 4,
               maintenance: 1, pause: 3, cancel: 2, set_limits: 2, kill: 8, kill_amid: 2,
               last_mile: 2, bus: 1,
               restart: 2, hang: 3, cut: 5, fill: 3, check: 1}

    def run(self):
        rng = random.Random(f'{self.seed}')
        for i in range(N_STEPS):
            (step,) = rng.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))
            step(self, random.Random(f'{self.seed}/{i}'))
            self.world.wait(rng.choice([0, rng.random() * 0.2, rng.random() * 1.5]))

    # The end

    def bury(self):
        """The volume that is deleted though it is dead, up to the end of that."""
        world = self.world
        if not world.dead:
            return
        victim, accept = world.dead
        world.dead = None
        job = next((job for job in reversed(world.jobs())
                    if job['type'] == 'drain' and victim in job['volumes']), None)
        if job:
            job = world.wait_job(job['id'])
            self.say(f'job {job["id"]} without {victim}: {job["state"]} {job["error"]}')
        if job and job['state'] == 'failed' and job['lost_keys'] > 0 and accept:
            world.lost_keys(job)
            job = world.adm('volume', 'delete', victim, '--accept-loss', '--yes', '--no-block')
            job = world.wait_job(job['job'])
            self.say(f'job {job["id"]} without {victim}: {job["state"]} {job["error"]}')
        if victim in world.in_state('removed'):
            world.give_up(job)
        else:
            self.say(f'start {victim} after all')
            world.start(victim)

    def finish(self):
        world = self.world
        world.run_due()
        self.ready_master()
        world.release_jobs()
        self.bury()
        world.wait_up()
        for job in world.jobs():
            job = world.wait_job(job['id'])
            if job['type'] == 'drain' and job['state'] == 'failed' and set(
                    job['volumes']) & set(world.in_state('draining')):
                self.say(f'job {job["id"]} has failed: {job["error"]} Cancelled.')
                world.adm('job', 'cancel', job['id'])
                world.wait_until(lambda j=job: not set(j['volumes']) & set(
                    world.in_state('draining')), 'the volumes are active again')
        world.wait(0)

        self.say('clients end')
        world.is_over = True
        world.join_clients()
        listed = world.verify_keys()
        job = world.wait_job(world.adm('rebalance', '--yes', '--no-block')['job'])
        if job['state'] != 'done' or (job['error'] and not any(k.is_lost for k in world.keys)):
            raise Violation(f'the last rebalance: {job}')
        plan = world.adm('rebalance', '--dry-run')
        if plan['keys'] != 0:
            raise Violation(f'after the last rebalance there is more to do: {plan}')
        copies, volumes = world.verify_copies(listed)
        if random.Random(f'{self.seed}/end').random() < 0.3:
            self.say('kill all, start all')
            world.kill_all()
        world.wait_up()
        listed = world.verify_keys()
        return f'{len(listed)} keys, {copies} copies on {volumes} volumes'


def run(seed, directory, has_disks):
    world = World(directory, seed, has_disks)
    try:
        world.begin_all()
        schedule = Schedule(world, seed)
        schedule.run()
        result = schedule.finish()
        world.cluster.close()
    except Exception as error:  # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
        for daemon in world.cluster.daemons:
            print(f'--- log of {daemon.name}\n{daemon.log_tail(60)}')
        print(f'schedule {seed}: VIOLATION: {error}')
        return 1
    finally:
        world.is_over = True
        world.cluster.abandon()
    counts = [sum(getattr(c, what) for c in world.clients)
              for what in ('acknowledged', 'failed', 'read', 'retried')]
    print(f'schedule {seed}: {result}; {counts[0]} writes acknowledged, {counts[1]} not; {counts[2]}'
          f' reads, {counts[3]} tried again; {time.monotonic() - world.begin:.1f} s')
    return 0


def main():
    if len(sys.argv) != 2:
        print(f'Usage: {sys.argv[0]} SEED', file=sys.stderr)
        return 2
    is_ours = os.environ.get('DKV_OWN_MOUNTS') == 'yes'
    if os.geteuid() == 0 and not is_ours:  # small disks, which are gone with us
        os.environ['DKV_OWN_MOUNTS'] = 'yes'
        os.execvp('unshare', ['unshare', '--mount', sys.executable, *sys.argv])
    directory = pathlib.Path(tempfile.mkdtemp(prefix='dkv-schedule-'))
    try:
        return run(sys.argv[1], directory, is_ours)
    finally:
        subprocess.run(f'umount {directory}/master {directory}/disk-*', shell=True, check=False,
                       stderr=subprocess.DEVNULL)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
