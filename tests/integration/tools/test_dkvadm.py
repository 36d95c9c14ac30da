# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkvadm, each verb, against daemons on a bus of their own, and what it does with files. What needs
systemd is tested in tests/system."""

import base64
import fcntl
import os
import re
import signal
import stat
import struct
import subprocess
import termios
import time

import pytest

from adm import read_until, terminal, volumes, wait_for_bus
from cluster import DEADLINE, DKVADM, SANDBOX, Cluster, free_ports, wait_for


def run(*arguments, status=0, **options):
    """dkvadm without a cluster: what it prints, or its complaint."""
    done = subprocess.run([DKVADM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=DEADLINE, check=False, **options)
    assert done.returncode == status, f'{done.args}: {done.stdout}{done.stderr}'
    return done.stderr if status else done.stdout


@pytest.fixture(scope='module')
def adm(tmp_path_factory):
    """Three volumes, two of them active."""
    one = Cluster(tmp_path_factory.mktemp('adm'), volumes=3, copies=2, bus=True)
    yield wait_for_bus(one)
    one.close()


@pytest.fixture
def fresh(new_cluster):
    """Volumes that nobody has added yet."""
    def new(**arguments):
        cluster = new_cluster(bus=True, wait=False, **arguments,
                              master={'AutoAddVolumes': 'no', 'VolumeTimeoutSec': '500ms'})
        wait_for_bus(cluster, 'down')
        wait_for(lambda: len(volumes(cluster)) == len(cluster.volumes), 'all volumes known')
        return cluster

    return new


def test_who_mistypes_a_verb_is_told_what_is_near():
    assert run('stauts', status=2) == "Unknown verb 'stauts'. Did you mean:\n  status\n"
    assert '\n  volume show N\n' in run('volumes', 'show', status=2)
    assert '\n  volume show N\n' in run('volume', 'shwo', status=2)
    for far in 'x', 'nonsense', 'v' * 1000:
        assert run(far, status=2) == f"Unknown verb '{far}'; see --help.\n"


def test_without_a_verb_there_are_the_verbs():
    assert '\n  volume create N ' in run(status=2)
    assert run('help') == run('--help')
    assert run('help', 'volume', 'create') == run('volume', 'create', '--help')
    assert 'nonsense' in run('help', 'nonsense', status=2)


# The cluster

@pytest.mark.sanitize
def test_status(adm):
    text = adm.dkvadm('status')
    assert 'ok' in text.splitlines()[0]
    assert all(adm[n].settings['Listen'] in text for n in adm.volumes)

    status = adm.dkvadm_json('status')
    assert status['health'] == 'ok'
    assert adm.dkvadm('--json=pretty', 'status').count('\n') > 10


def test_status_tells_what_is_wrong_and_what_to_do(fresh):
    cluster = fresh(volumes=3, copies=2)
    first, advice = cluster.dkvadm('status', status=4).splitlines()[:2]
    assert 'down' in first and 'dkvadm volume add' in advice

    cluster.dkvadm('volume', 'add', 1, 2, 3)
    assert 'ok' in cluster.dkvadm('status').splitlines()[0]

    cluster.kill(2)
    wait_for(lambda: not volumes(cluster)[2]['up'], 'volume 2 down')
    first, advice = cluster.dkvadm('status', status=3).splitlines()[:2]
    assert 'degraded' in first and 'olume 2 is down' in first and 'dkv-volume@2' in advice

    cluster.kill('master')
    assert 'down' in cluster.dkvadm('status', status=4).splitlines()[0]
    cluster.start('master')
    cluster.start(2)
    wait_for_bus(cluster)


def test_status_of_a_master_that_hangs(fresh):
    cluster = fresh(volumes=2)
    cluster.kill('master', signal.SIGSTOP)
    try:
        text = cluster.dkvadm('status', status=4)
        assert 'does not respond' in text.splitlines()[0]
        assert all(cluster[n].settings['Listen'] in text for n in (1, 2))
    finally:
        os.kill(cluster['master'].process.pid, signal.SIGCONT)


def test_bus_goes_and_comes_back(fresh):
    cluster = fresh(volumes=1)
    cluster.bus.kill()
    cluster.dkvadm('status', status=4)
    assert 'bus' in cluster.dkvadm('volume', 'list', status=1)
    cluster.bus.start()
    wait_for_bus(cluster, 'down')
    cluster.dkvadm('volume', 'add', 1)


def test_sandbox_has_a_bus(tmp_path):
    directory = tmp_path / 'a "box"'
    run_sandbox = [SANDBOX, 'start', directory, '--port', str(free_ports(3)[0]), '--volumes', '2']
    subprocess.run(run_sandbox, check=True, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: subprocess.run([DKVADM, '--sandbox', directory, 'volume', 'show', '2'],
                                        capture_output=True, check=False).returncode == 0)
        assert 'status' in run('--sandbox', directory, 'status', '--help')
        run('--sandbox', directory, 'volume', 'maintenance', '2', 'on')
    finally:
        subprocess.run([SANDBOX, 'stop', directory], check=True)
    assert 'dkv-sandbox start' in run('--sandbox', directory, 'volume', 'list', status=1)


# Volumes

def test_volume_list_and_show(adm):
    listed = volumes(adm)
    assert sorted(listed) == [1, 2, 3]
    for number, one in listed.items():
        assert one['up'] and one['state'] == 'active' and one['weight'] == 1
        assert one['url'] == f'http://{adm[number].settings["Listen"]}'
        assert 0 < one['disk_free'] <= one['disk_size']

    shown = adm.dkvadm_json('volume', 'show', 2)
    assert shown['number'] == 2 and re.fullmatch('[0-9a-f-]{32,36}', shown['uuid'])
    assert shown['url'] in adm.dkvadm('volume', 'show', 2)
    assert 'volume list' in adm.dkvadm('volume', 'show', 7, status=1)
    assert "'x'" in adm.dkvadm('volume', 'show', 'x', status=2)

    assert adm.dkvadm('volume', 'list').splitlines()[0].startswith('VOLUME')
    assert not adm.dkvadm('--no-legend', 'volume', 'list').startswith('VOLUME')


def test_volume_add_is_all_or_nothing(fresh):
    cluster = fresh(volumes=2)
    assert {one['state'] for one in volumes(cluster).values()} == {'new'}

    cluster.kill(2)
    wait_for(lambda: not volumes(cluster)[2]['up'], 'volume 2 down')
    assert 'dkv-sandbox restart' in cluster.dkvadm('volume', 'add', 1, 2, status=1)
    assert {one['state'] for one in volumes(cluster).values()} == {'new'}

    cluster.start(2)  # for one that is starting it waits
    assert 'olume 1' in cluster.dkvadm('volume', 'add', 1, 2)
    assert {one['state'] for one in volumes(cluster).values()} == {'active'}
    cluster.put('key', b'value').expect(201)
    assert cluster.get('key').body == b'value'


def test_volume_set(adm):
    adm.dkvadm('volume', 'set', 3, '--weight=5', '--zone=rack7')
    one = volumes(adm)[3]
    assert one['weight'] == 5 and one['zone'] == 'rack7'
    adm.dkvadm('volume', 'set', 3, '--url=http://example.org:1')
    assert volumes(adm)[3]['url'] == 'http://example.org:1'
    adm.dkvadm('volume', 'set', 3, '--weight=1', '--zone=', '--url=')
    wait_for(lambda: volumes(adm)[3]['url'] == f'http://{adm[3].settings["Listen"]}',
             'the URL that the volume reports')
    assert volumes(adm)[3]['zone'] == ''
    for wrong in ['--weight=0'], ['--weight=257'], ['--weight=x'], [], ['--listen=x']:
        adm.dkvadm('volume', 'set', 3, *wrong, status=2)
    assert adm.dkvadm('volume', 'set', 3, '--weight=0', status=2).startswith("Invalid value '0' for --weight")


def test_an_old_epoch_changes_nothing(adm):
    epoch = adm.health()['epoch']
    adm.dkvadm('volume', 'set', 1, '--weight=2', f'--epoch={epoch}')
    complaint = adm.dkvadm('volume', 'set', 1, '--weight=3', f'--epoch={epoch}', status=1)
    assert 'changed' in complaint and '--epoch' in complaint
    assert volumes(adm)[1]['weight'] == 2
    adm.dkvadm('volume', 'set', 1, '--weight=1')
    for verb in ['maintenance', 1, 'on'], ['add', 1]:
        assert 'changed' in adm.dkvadm('volume', *verb, f'--epoch={epoch}', status=1)
    assert volumes(adm)[1]['maintenance_until'] == 0


def test_maintenance(adm):
    adm.dkvadm('volume', 'maintenance', 2, 'on')
    assert volumes(adm)[2]['maintenance_until'] == 2 ** 64 - 1
    for n in range(20):  # nothing new goes there
        adm.put(f'maintained/{n}', b'x').expect(201, 204)
        assert 2 not in [copy['volume'] for copy in adm.where(f'maintained/{n}')['copies']]
    adm.dkvadm('volume', 'maintenance', 2, 'off')
    assert volumes(adm)[2]['maintenance_until'] == 0

    before = time.time()
    adm.dkvadm('volume', 'maintenance', 2, 'on', '2h')
    assert abs(volumes(adm)[2]['maintenance_until'] / 1e6 - before - 7200) < 2 * DEADLINE
    adm.dkvadm('volume', 'maintenance', 2, 'off')
    for wrong in ['maybe'], ['on', 'soon'], ['off', '2h']:
        adm.dkvadm('volume', 'maintenance', 2, *wrong, status=2)


def test_maintenance_tells_what_will_stop(fresh):
    cluster = fresh(volumes=2, copies=2)
    cluster.dkvadm('volume', 'add', 1, 2)

    def warning(number):
        done = subprocess.run([DKVADM, f'--sandbox={cluster.directory}', 'volume', 'maintenance', str(number), 'on'],
                              capture_output=True, text=True, timeout=DEADLINE, check=True)
        cluster.dkvadm('volume', 'maintenance', number, 'off')
        return done.stderr

    assert 'Nothing can be stored in the meantime. A write needs 2 of its 2 copies, and 1 volume is left' in warning(2)
    cluster.dkvadm('set', 'copies=1', '--yes')
    assert 'no other copy' in warning(2) and 'Nothing can be stored' not in warning(2)


def test_plan_is_refused_as_the_change_would_be(adm):
    for option in '--dry-run', '--yes':
        assert 'fewer active volumes' in adm.dkvadm('set', 'copies=5', option, status=1)


def test_config_tells_the_copies_that_are_in_force(fresh):
    cluster = fresh(volumes=2)
    cluster.dkvadm('volume', 'add', 1, 2)
    cluster.dkvadm('set', 'copies=2', '--yes')
    copies = next(one for one in cluster.dkvadm_json('config') if one['name'] == 'Copies')
    assert (copies['value'], copies['origin']) == ('2', 'dkvadm set copies=')


def test_removed_volumes_are_shown_to_who_asks(fresh):
    cluster = fresh(volumes=2)
    cluster.dkvadm('volume', 'delete', 2, '--yes', '--no-block')
    wait_for(lambda: volumes(cluster)[2]['state'] == 'removed', 'the volume to be removed')
    assert not re.search(r'^ +2 ', cluster.dkvadm('volume', 'list'), re.M)
    assert not re.search(r'^ +2 ', cluster.dkvadm('status', status=4), re.M)
    assert re.search(r'^ +2 +removed', cluster.dkvadm('volume', 'list', '--all'), re.M)
    assert cluster.dkvadm_json('volume', 'show', 2)['state'] == 'removed'


def test_machine_with_volumes_only_tells_where_the_master_is(fresh):
    cluster = fresh(volumes=2)
    cluster[2].stop()
    cluster[2].settings['Master'] = 'http://192.0.2.1:3000'
    cluster.start(2)
    cluster.kill('master')

    def told():
        # There may be no way to that address, or no answer from it.
        done = subprocess.run([DKVADM, f'--sandbox={cluster.directory}', 'status'], capture_output=True, text=True,
                              timeout=DEADLINE, check=False)
        return done.returncode == 3 and 'has not answered yet' not in done.stdout and done.stdout
    text = wait_for(told, 'the volume to have tried')
    assert "degraded: Volume 2 is not in its cluster: The master at 'http://192.0.2.1:3000' " in text
    assert 'dkvadm -H 192.0.2.1 status' in text


# Keys, settings, rates

def test_locate(adm):
    key = 'a key/with % and é'
    adm.put(key, b'x' * 1000).expect(201, 204)
    located = adm.dkvadm_json('locate', key)
    assert located['size'] == 1000
    assert sorted(copy['number'] for copy in located['copies']) == \
        sorted(copy['volume'] for copy in adm.where(key)['copies'])
    assert key in adm.dkvadm('locate', key)
    assert 'no such key' in adm.dkvadm('locate', 'nothing', status=1).lower()


def test_config_tells_origins(adm):
    settings = {one['name']: one for one in adm.dkvadm_json('config')}
    assert settings['Copies']['value'] == '2' and settings['Copies']['default'] == '1'
    assert re.fullmatch(re.escape(str(adm.master.conf)) + r':\d+', settings['Copies']['origin'])
    assert settings['Copies']['live'] and not settings['Listen']['live']
    assert settings['Proxy']['origin'] == ''

    of_volume = {one['name']: one for one in adm.dkvadm_json('config', 2)}
    assert of_volume['Number']['value'] == '2'
    adm.dkvadm('config', 9, status=1)


def test_monitor_prints_lines_where_there_is_no_terminal(adm):
    monitor = subprocess.Popen([DKVADM, f'--sandbox={adm.directory}', 'monitor'],
                               stdout=subprocess.PIPE, text=True)
    try:
        lines = [monitor.stdout.readline() for _ in range(2)]
        assert all(lines)
    finally:
        monitor.kill()
        monitor.wait()
        monitor.stdout.close()


def test_monitor_draws_a_page_and_q_leaves(adm):
    with terminal([DKVADM, f'--sandbox={adm.directory}', 'monitor']) as (process, fd):
        read_until(fd, b'q: quit')
        os.write(fd, b'q')
        read_until(fd, None)
        assert process.wait(DEADLINE) == 0


@pytest.mark.parametrize('ending', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT])
def test_monitor_leaves_the_terminal_as_it_was(adm, ending):
    with terminal([DKVADM, f'--sandbox={adm.directory}', 'monitor']) as (process, fd):
        read_until(fd, b'q: quit')
        assert not termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO)
        process.send_signal(ending)
        assert b'\033[?1049l' in read_until(fd, None)
        process.wait(DEADLINE)
        assert termios.tcgetattr(fd)[3] & termios.ICANON and termios.tcgetattr(fd)[3] & termios.ECHO


def test_monitor_outlives_the_master_and_the_bus(fresh):
    cluster = fresh(volumes=1)
    with terminal([DKVADM, f'--sandbox={cluster.directory}', 'monitor']) as (process, fd):
        read_until(fd, b'volume is active')
        cluster.kill('master')
        read_until(fd, b'master is not running')
        cluster.start('master')
        read_until(fd, b'volume is active')
        cluster.bus.kill()
        read_until(fd, b'down: ')
        cluster.bus.start()
        read_until(fd, b'volume is active')
        os.write(fd, b'q')
        read_until(fd, None)
        assert process.wait(DEADLINE) == 0


def test_monitor_fits_the_terminal(adm):
    """Whatever is drawn stays in 24 lines of 80 columns."""
    with terminal([DKVADM, f'--sandbox={adm.directory}', 'monitor']) as (_, fd):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        read_until(fd, b'q: quit')
        page = (b'\033[H' + read_until(fd, b'q: quit')).decode().split('\033[H')[-1]
    above, last = page.split('\033[J')
    assert last.startswith('\033[24H')
    lines = re.sub(r'\033\[[0-9;]*[mK]', '', above).replace('\r', '').splitlines()
    assert len(lines) < 24 and max(map(len, lines)) <= 80


def test_long_output_goes_through_a_pager(adm):
    command = ['env', 'PAGER=sed s/^/paged:/', DKVADM, f'--sandbox={adm.directory}']
    with terminal([*command, 'status']) as (process, fd):
        text = read_until(fd, None).replace(b'\r', b'')
        assert all(line.startswith(b'paged:') for line in text.splitlines())
        assert process.wait(DEADLINE) == 0
    with terminal([*command, '--no-pager', 'status']) as (_, fd):
        assert b'paged:' not in read_until(fd, None)


def test_colours_only_on_a_terminal(adm):
    command = [DKVADM, f'--sandbox={adm.directory}', 'status']
    assert '\033[' not in adm.dkvadm('status')
    with terminal(command) as (_, fd):
        assert b'\033[' in read_until(fd, None)
    with terminal(['env', 'NO_COLOR=1', *command]) as (_, fd):
        assert b'\033[' not in read_until(fd, None)


# What is printed and does not arrive

def run_into(stdout, *command, **options):
    """Exit status and complaint of a program whose output goes there."""
    done = subprocess.run([DKVADM, *map(str, command)], stdout=stdout, stderr=subprocess.PIPE, text=True,
                          timeout=DEADLINE, check=False, **options)
    return done.returncode, done.stderr


@pytest.mark.parametrize('words', [['status'], ['volume', 'list'], ['--json=short', 'status'], ['config'],
                                   ['volume', 'show', '1'], ['--help'], ['--version']])
def test_full_disk_is_a_failure(adm, words):
    with open('/dev/full', 'w', encoding='ascii') as full:
        assert run_into(full, f'--sandbox={adm.directory}', *words) == (
            1, 'Failed to print: No space left on device\n')


@pytest.mark.parametrize('words', [['status'], ['volume', 'list'], ['--json=short', 'status'], ['--help']])
def test_reader_that_has_left_is_none(adm, words):
    """As when a pager is left, or with "| head"."""
    read, write = os.pipe()
    os.close(read)
    try:
        ignored = run_into(write, f'--sandbox={adm.directory}', *words,
                           preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
        killed = run_into(write, f'--sandbox={adm.directory}', *words)
    finally:
        os.close(write)
    assert ignored == (0, '')
    assert killed[0] in (0, -signal.SIGPIPE) and killed[1] == ''


def test_secret_that_does_not_arrive_is_a_failure(tmp_path):
    run('secret', 'create', f'--root={tmp_path}')
    with open('/dev/full', 'w', encoding='ascii') as full:
        assert run_into(full, 'secret', 'show', f'--root={tmp_path}') == (
            1, 'Failed to print: No space left on device\n')


# Usage

@pytest.mark.parametrize('arguments', [
    [], ['dance'], ['volume'], ['volume', 'dance'], ['volume', 'show'], ['status', 'x'],
    ['status', '--weight=1'], ['--json=xml', 'status'], ['volume', 'add'],
    ['volume', 'create', '0', '--root=x'], ['volume', 'create', '1', '--directory=x', '--root=x'],
    ['volume', 'create', '63000', '--root=x'], ['volume', 'create', '1', '--add', '--root=x'],
    ['volume', 'create', '1', '--weight=300'], ['--sandbox=x', 'secret', 'show'],
    ['--host=x', 'volume', 'create', '1'], ['--machine=x', 'events'], ['events', '--since=soon'],
    ['events', '--lines=x']])
def test_usage(arguments, tmp_path):
    assert run(*arguments, status=2, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_every_verb_has_help():
    verbs = re.findall(r'^  ([a-z-]+(?: [a-z-]+)?)(?![\w=-])', run('--help').partition('Options:')[0], re.M)
    assert {'status', 'volume create', 'secret show', 'events', 'monitor'} <= set(verbs)
    for verb in verbs:
        assert verb in run(*verb.split(), '--help')


def test_without_a_cluster(tmp_path):
    assert 'dkv-sandbox start' in run('--sandbox', tmp_path, 'volume', 'list', status=1)
    assert run('--bus-address=unix:path=/nowhere', 'volume', 'list', status=1)


# Files of this machine

def test_secret(tmp_path):
    path = tmp_path / 'etc/credstore/dkv.secret'
    complaint = run('secret', 'show', f'--root={tmp_path}', status=1)
    assert str(path) in complaint and 'secret create' in complaint

    hints = run('secret', 'create', f'--root={tmp_path}')
    assert 'systemctl try-restart' in hints and 'ssh' in hints
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o755
    secret = run('secret', 'show', f'--root={tmp_path}')
    assert secret == path.read_text()
    assert len(base64.b64decode(secret, validate=False)) == 32
    assert base64.b64encode(base64.b64decode(secret)).decode() + '\n' == secret

    assert '--force' in run('secret', 'create', f'--root={tmp_path}', status=1)
    assert path.read_text() == secret
    assert run('secret', 'create', '--force', '--quiet', f'--root={tmp_path}') == ''
    assert path.read_text() != secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_secret_is_what_a_cluster_takes(tmp_path, new_cluster):
    run('secret', 'create', f'--root={tmp_path}')
    path = tmp_path / 'etc/credstore/dkv.secret'
    cluster = new_cluster(volumes=1, master={'SecretFile': path}, volume={'SecretFile': path})
    cluster.put('key', b'value').expect(201)


@pytest.mark.skipif(os.geteuid() != 0, reason='asks what others than root may do')
@pytest.mark.parametrize('verb', [['secret', 'create'], ['secret', 'show'],
                                  ['volume', 'create', '1'], ['volume', 'remove-config', '1']])
def test_only_root_changes_the_machine(verb):
    done = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', DKVADM,
                           *verb], capture_output=True, text=True, check=False)
    if 'Permission denied' in done.stderr and 'setpriv' in done.stderr:
        pytest.skip('the build is where only root can reach it')
    assert done.returncode == 1 and 'sudo dkvadm ' + ' '.join(verb[:2]) in done.stderr


@pytest.fixture
def image(tmp_path):
    """The root of a machine that has the user dkv: us."""
    (tmp_path / 'etc').mkdir()
    (tmp_path / 'etc/passwd').write_text(
        f'root:x:0:0::/:\ndkv:x:{os.getuid()}:{os.getgid()}::/:/bin/false\n')
    return tmp_path


def test_volume_create_writes_the_configuration(image):
    run('volume', 'create', 4, f'--root={image}', '--directory=/srv/dkv four', '--zone=rack 1',
        '--listen=0.0.0.0:7004', '--master=http://10.0.0.1:3000')
    path = image / 'etc/dkv/volume@4.conf'
    lines = [line for line in path.read_text().splitlines() if not line.startswith('#')]
    assert lines == ['[Volume]', 'Directory=/srv/dkv four', 'Listen=0.0.0.0:7004',
                     'Master=http://10.0.0.1:3000', 'Zone=rack 1']
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert (image / 'srv/dkv four').stat().st_uid == os.getuid()

    complaint = run('volume', 'create', 4, f'--root={image}', '--zone=rack2', status=1)
    assert str(path) in complaint and 'already' in complaint
    assert 'rack 1' in path.read_text()

    (image / 'srv/dkv four/value').write_text('precious')
    said = run('volume', 'remove-config', 4, f'--root={image}')
    assert '/srv/dkv four' in said and (image / 'srv/dkv four/value').exists()
    assert not path.exists()
    run('volume', 'remove-config', 4, f'--root={image}', status=1)


def test_volume_of_another_master_is_added_there(image):
    complaint = run('volume', 'create', 4, '--master=http://10.0.0.1:3000', '--add', status=2)
    assert 'where the master runs' in complaint


def test_volume_create_without_options_has_defaults(image):
    run('volume', 'create', 7, f'--root={image}')
    assert 'Directory' not in (image / 'etc/dkv/volume@7.conf').read_text()
    assert '/var/lib/dkv/volume-7' in run('volume', 'remove-config', 7, f'--root={image}')


@pytest.mark.parametrize('zone', ['a\nMaster=http://evil', 'a ;b', ' a', 'a ', 'x' * 200])
def test_what_a_configuration_cannot_carry(image, zone):
    assert 'Zone' in run('volume', 'create', 4, f'--root={image}', f'--zone={zone}', status=1)
    assert not (image / 'etc/dkv').exists()


@pytest.mark.skipif(os.geteuid() != 0, reason='gives files away')
def test_a_directory_of_somebody_else_is_not_taken(image):
    (image / 'etc/passwd').write_text('dkv:x:1234:1235::/:/bin/false\n')
    mine = image / 'srv/mine'
    mine.mkdir(parents=True)
    (mine / 'file').write_text('precious')
    arguments = ['volume', 'create', 4, f'--root={image}', '--directory=/srv/mine']
    assert 'not empty' in run(*arguments, status=1)
    assert mine.stat().st_uid == 0 and not (image / 'etc/dkv').exists()

    (mine / 'file').unlink()
    (mine / 'lost+found').mkdir()  # a new file system is fine
    run(*arguments)
    assert (mine.stat().st_uid, mine.stat().st_gid) == (1234, 1235)


def test_there_must_be_a_user(tmp_path):
    (tmp_path / 'etc').mkdir()
    (tmp_path / 'etc/passwd').write_text('root:x:0:0::/:\n')
    arguments = ['volume', 'create', 4, f'--root={tmp_path}', '--directory=/srv/x']
    assert 'systemd-sysusers' in run(*arguments, status=1)
