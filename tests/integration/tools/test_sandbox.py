# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkv-sandbox, used as somebody would who tries dkv out."""

import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from cluster import CURL, DKVADM, SANDBOX, free_ports, wait_for


def run(*arguments, **options):
    return subprocess.run([SANDBOX, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, check=False, **options)


class Sandbox:
    def __init__(self, directory, port):
        self.directory, self.port = directory, port
        self.url = f'http://127.0.0.1:{port}'

    def run(self, command, *arguments, status=0):
        done = run(command, self.directory, *arguments)
        assert done.returncode == status, f'{done.args}: {done.stdout}{done.stderr}'
        return done.stderr if status else done.stdout

    def start(self, *arguments, status=0):
        return self.run('start', '--port', self.port, *arguments, status=status)

    def status(self, status=0):
        done = run('status', '--json', self.directory)
        assert done.returncode == status
        return json.loads(done.stdout)

    def processes(self):
        status = json.loads(run('status', '--json', self.directory).stdout)
        return [status['master'], *status['volumes'], status['bus']]

    def curl(self, *arguments, data=None):
        return subprocess.run([*CURL, '-L', *arguments], input=data, capture_output=True,
                              check=True).stdout


@pytest.fixture
def sandbox(tmp_path):
    one = Sandbox(tmp_path / 'my "sand" box', free_ports(6)[0])
    yield one
    if (one.directory / 'master.conf').exists():
        pids = [daemon['pid'] for daemon in one.processes()]
        one.run('stop')
        assert not any(pid and is_alive(pid) for pid in pids)


def is_alive(pid):
    try:
        with open(f'/proc/{pid}/cmdline', 'rb') as file:
            return bool(file.read())
    except FileNotFoundError:
        return False


@pytest.mark.sanitize
def test_first_steps(sandbox):
    """What it prints can be typed."""
    hints = sandbox.start('--volumes', 2)
    assert f'curl -L -T FILE {sandbox.url}/KEY' in hints

    sandbox.curl('-T', '-', f'{sandbox.url}/hello', data=b'world')
    assert sandbox.curl(f'{sandbox.url}/hello') == b'world'

    status = sandbox.status()
    assert status['health']['status'] == 'ok' and status['health']['keys'] == 1
    assert [volume['number'] for volume in status['volumes']] == [1, 2]
    assert os.stat(sandbox.directory / 'secret').st_mode & 0o777 == 0o600

    sandbox.run('stop')
    assert not any(daemon['running'] for daemon in sandbox.processes())
    sandbox.status(status=1)
    sandbox.run('stop')  # once more does no harm
    sandbox.start()
    assert sandbox.curl(f'{sandbox.url}/hello') == b'world'


def test_start_is_idempotent(sandbox):
    sandbox.start('--volumes', 2, '--copies', 2, '--set', 'volume.InlineMax=1K')
    before = [daemon['pid'] for daemon in sandbox.processes()]
    sandbox.start('--volumes', 2, '--copies', 2, '--set', 'volume.InlineMax=1K')
    assert [daemon['pid'] for daemon in sandbox.processes()] == before

    sandbox.run('kill', 1)
    sandbox.run('start')  # only what is missing
    after = [daemon['pid'] for daemon in sandbox.processes()]
    assert [a == b for a, b in zip(after, before)] == [True, False, True, True]
    assert 'Copies=2' in sandbox.start('--copies', 1, status=1)


def peers(address):
    """The processes that are connected to a bus, by name."""
    listing = subprocess.run(['busctl', f'--address={address}', '--no-legend', 'list'],
                             capture_output=True, text=True, check=False)
    return {line.split()[2] for line in listing.stdout.splitlines()}


def bus_file(sandbox):
    return (sandbox.directory / 'bus').read_text().strip()


@pytest.mark.parametrize('name', ['plain', 'my "sand" box, 100 % ours', 'x' * 110])
def test_each_has_a_bus(tmp_path, name):
    """Whatever the directory is called; a path to a socket can have 107 bytes."""
    sandbox = Sandbox(tmp_path / name, free_ports(2)[0])
    sandbox.directory.mkdir()
    sandbox.start('--volumes', 1)
    try:
        bus, address = sandbox.status()['bus'], bus_file(sandbox)
        assert bus['running'] and bus['address'] == address
        wait_for(lambda: peers(address) >= {'dbus-daemon', 'dkv-master', 'dkv-volume'})
        socket_path = pathlib.Path(address.removeprefix('unix:path='))
        assert (socket_path.parent == sandbox.directory) == (name == 'plain')
    finally:
        sandbox.run('stop')
    assert not is_alive(bus['pid']) and not (sandbox.directory / 'bus').exists()
    assert not socket_path.exists()
    assert socket_path.parent == sandbox.directory or not socket_path.parent.exists()


def test_the_bus_stays_or_comes_back_where_it_was(sandbox):
    sandbox.start('--volumes', 1)
    bus, address = sandbox.status()['bus'], bus_file(sandbox)
    sandbox.run('restart', 'master')
    assert sandbox.status()['bus']['pid'] == bus['pid']

    sandbox.run('kill', 'bus')
    assert not sandbox.status(status=1)['bus']['running']
    sandbox.run('start')
    assert sandbox.status()['bus']['running'] and bus_file(sandbox) == address
    sandbox.run('restart', 'bus')
    wait_for(lambda: peers(address) >= {'dbus-daemon', 'dkv-master', 'dkv-volume'})


def test_without_dbus_daemon_nothing_starts(sandbox, tmp_path):
    programs = tmp_path / 'bin'
    programs.mkdir()
    for directory in os.environ['PATH'].split(':'):
        for program in pathlib.Path(directory).glob('*'):
            if program.name != 'dbus-daemon' and not (programs / program.name).exists():
                (programs / program.name).symlink_to(program)
    done = run('start', sandbox.directory, env={**os.environ, 'PATH': str(programs)})
    assert done.returncode == 1 and 'dbus-daemon' in done.stderr
    assert not sandbox.directory.exists()


SLOW_SETSID = '''#!/bin/bash
sleep 0.2
export ARGUMENTS=$(mktemp)
printf '%s\\0' "$@" >"$ARGUMENTS"
exec -a '' bash -c 'sleep 0.5; mapfile -d "" -t words <"$ARGUMENTS"; exec @SETSID@ "${words[@]}"'
'''


def test_a_process_that_is_about_to_become_a_daemon_is_not_taken_for_one_that_died(sandbox, tmp_path):
    # Between setsid and the daemon it has no command line; this setsid makes that last.
    slow = tmp_path / 'bin' / 'setsid'
    slow.parent.mkdir()
    slow.write_text(SLOW_SETSID.replace('@SETSID@', shutil.which('setsid')))
    slow.chmod(0o755)
    done = run('start', sandbox.directory, '--volumes', 1, '--port', sandbox.port,
               env={**os.environ, 'PATH': f'{slow.parent}:{os.environ["PATH"]}', 'TMPDIR': str(tmp_path)})
    assert done.returncode == 0, done.stderr
    sandbox.status()


def test_settings_arrive(sandbox):
    sandbox.start('--volumes', 1, '--set', 'master.ValueSizeMax=10', '--set=volume.InlineMax=1K')
    answer = sandbox.curl('-T', '-', f'{sandbox.url}/k', data=b'x' * 11)
    assert json.loads(answer)['status'] == 413


def test_add_kill_restart(sandbox):
    sandbox.start('--volumes', 1, '--set=master.VolumeTimeoutSec=500ms',
                  '--set=volume.ReportSec=100ms')
    sandbox.run('add')
    sandbox.run('add')
    assert [volume['state'] for volume in sandbox.status()['health']['volumes']] == ['active'] * 3

    sandbox.run('kill', 2)
    running = [volume['running'] for volume in sandbox.status(status=1)['volumes']]
    assert running == [True, False, True]
    assert 'not running' in sandbox.run('kill', 2, status=1)
    sandbox.run('restart', 2)
    sandbox.run('restart', 'master')
    status = sandbox.status()
    assert all(volume['up'] for volume in status['health']['volumes'])

    sandbox.run('kill', 3, 'STOP')
    sandbox.run('restart', 3)
    sandbox.run('kill', 'master', 'TERM')
    assert not sandbox.status(status=1)['master']['running']


def test_volume_that_was_removed_is_left_out(sandbox):
    sandbox.start('--volumes', 3, '--set', 'master.GraceSec=1s', '--set', 'master.TicketSec=1s')
    sandbox.curl('-T-', f'{sandbox.url}/k', data=b'v')
    subprocess.run([DKVADM, f'--sandbox={sandbox.directory}', 'volume', 'delete', '3', '--yes'], check=True,
                   timeout=60, stdout=subprocess.DEVNULL)
    sandbox.run('stop')
    assert 'a master and 2 volumes' in sandbox.start()
    assert [volume['number'] for volume in sandbox.status()['volumes']] == [1, 2]
    assert sandbox.curl(f'{sandbox.url}/k') == b'v'
    assert sandbox.run('add').startswith('Volume 4 is active')


def test_copy_of_a_sandbox_is_told_so(sandbox, tmp_path):
    sandbox.start('--volumes', 1)
    sandbox.run('stop')
    shutil.copytree(sandbox.directory, tmp_path / 'copy')
    done = run('start', tmp_path / 'copy')
    assert done.returncode == 1 and 'is a copy of a sandbox' in done.stderr and 'secret' not in done.stderr


def test_taken_port_is_found_before_anything_starts(sandbox):
    with socket.create_server(('127.0.0.1', sandbox.port + 2)):
        message = sandbox.start(status=1)
    assert str(sandbox.port + 2) in message
    assert list(sandbox.directory.iterdir()) == []
    sandbox.start('--volumes', 1)


def test_daemon_that_does_not_start_is_quoted(sandbox):
    message = sandbox.start('--volumes', 1, '--set', 'volume.InlineMax=lots', status=1)
    assert 'volume@1.conf' in message and 'lots' in message
    assert not any(daemon['running'] for daemon in sandbox.processes())
    assert not (sandbox.directory / 'bus').exists()


@pytest.mark.parametrize('arguments', [
    [], ['start'], ['dance', 'x'], ['start', 'x', '--volumes', '0'], ['start', 'x', '--port', 'x'],
    ['start', 'x', '--nonsense'], ['stop', 'x', '--port', '1'], ['start', 'x', '--set', 'nonsense'],
    ['start', 'x', '--set', 'master.Listen=1'], ['kill', 'x'], ['start', 'x', '--port']])
def test_usage(arguments, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and '--help' in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_no_sandbox_is_left_alone(tmp_path):
    (tmp_path / 'precious').write_text('mine')
    for command in 'start', 'stop', 'status', 'add':
        done = run(command, tmp_path)
        assert done.returncode == 1 and 'sandbox' in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['precious']


def test_help_and_version():
    for option in '--help', '--version':
        done = run(option)
        assert done.returncode == 0 and 'dkv' in done.stdout


def test_recycled_pid_is_not_killed(sandbox, tmp_path):
    """A pid file from before a reboot may name anybody."""
    sandbox.start('--volumes', 1)
    sandbox.run('stop')
    bystander = subprocess.Popen(['sleep', '60'])
    try:
        (sandbox.directory / 'volume-1.pid').write_text(f'{bystander.pid}\n')
        assert 'not running' in sandbox.run('kill', 1, status=1)
        sandbox.run('stop')
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
