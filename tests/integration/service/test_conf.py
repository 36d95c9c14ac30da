# SPDX-License-Identifier: LGPL-2.1-or-later
"""Settings, and a start that fails for a reason that the log says."""

import re
import shutil
import subprocess
import time

import pytest

from cluster import BUILD, MASTER, VOLUME, free_ports, wait_for

PROGRAMS = {'master': MASTER, 'volume': VOLUME}


def run(kind, *arguments):
    return subprocess.run([PROGRAMS[kind], *arguments], capture_output=True, text=True, timeout=30,
                          check=False)


def conf(tmp_path, text):
    path = tmp_path / 'dkv.conf'
    path.write_text(text)
    return path


@pytest.mark.sanitize
@pytest.mark.parametrize('kind', PROGRAMS)
def test_words_about_itself(kind):
    usage = run(kind, '--help').stdout
    assert f'dkv-{kind}' in usage
    assert ('--number' in usage) == (kind == 'volume')
    assert re.search(r'\d+\.\d+', run(kind, '--version').stdout)
    assert run(kind, '--nonsense').returncode == 2
    assert run(kind, 'nonsense').returncode == 2


@pytest.mark.sanitize
@pytest.mark.parametrize('kind', PROGRAMS)
def test_printed_settings_are_a_configuration(kind, tmp_path):
    """All defaults, commented out; and with the comment taken away they are accepted."""
    printed = run(kind, '--print-settings')
    assert printed.returncode == 0
    settings = re.findall(r'^#(\w+)=(.*)$', printed.stdout, re.MULTILINE)
    assert {'Directory', 'Listen', 'SecretFile', 'TimeoutSec'} <= {name for name, _ in settings}
    path = conf(tmp_path, re.sub(r'^#(\w+=)', r'\1', printed.stdout, flags=re.MULTILINE))
    again = run(kind, f'--config={path}', '--print-settings')
    assert again.returncode == 0 and 'nknown' not in again.stderr


@pytest.mark.sanitize
@pytest.mark.parametrize('line', [
    'Copies=0', 'Copies=x', 'Copies=99999', 'Copies=-1', 'ValueSizeMax=5Q', 'Proxy=perhaps',
    'GraceSec=3 weeks ago', 'TimeoutSec=99999999999999999999s', 'no equals sign'])
def test_bad_value_fails_the_start_with_file_and_line(tmp_path, line):
    path = conf(tmp_path, f'# a comment\n[Master]\nDirectory={tmp_path}\n{line}\n')
    done = run('master', f'--config={path}')
    assert done.returncode == 1
    assert f'{path}:4: ' in done.stderr


def test_bad_value_in_a_drop_in(tmp_path):
    path = conf(tmp_path, '[Volume]\nNumber=1\n')
    drop_in = tmp_path / 'dkv.conf.d/50-bad.conf'
    drop_in.parent.mkdir()
    drop_in.write_text('[Volume]\n\nInlineMax=9G\n')
    done = run('volume', f'--config={path}')
    assert done.returncode == 1 and f'{drop_in}:3: ' in done.stderr


@pytest.mark.parametrize('program, option', [
    ('master', '--print-settings'), ('master', '--help'), ('master', '--version'),
    ('master', '--bus-introspect=/org/dkv/Master1'),
    ('volume', '--print-settings'), ('volume', '--help'), ('volume', '--version'),
    ('dkvadm', '--help'), ('dkvadm', '--version'), ('dkv-bench', '--help'), ('dkv-bench', '--version'),
    ('dkv-generator', '--help'), ('dkv-generator', '--version'),
    ('dkv-sandbox', '--help'), ('dkv-sandbox', '--version')])
def test_what_cannot_be_printed_is_a_failure(program, option):
    places = {'dkv-generator': BUILD / 'daemons/generator/dkv-generator', **PROGRAMS}
    with open('/dev/full', 'w', encoding='utf-8') as full:
        done = subprocess.run([places.get(program, BUILD / 'cli' / program), option], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.returncode == 1 and 'No space left' in done.stderr


NO_ADDRESS = ['Listen=127.0.0.1:0', 'Listen=foo', 'Listen=99999', 'Listen=127.0.0.1', 'Listen=::1:3003',
              'Listen=3003:3003']
NO_URL = ['Url=http://user@host:3003', 'Url=http://host:3003?a=b', 'Url=http://host:3003/a', 'Url=http://3003',
          'Url=http://0.0.0.0:3003', 'Url=https://host:3003', 'Master=10.0.0.1', 'Master=ftp://10.0.0.1:3000',
          'Master=http://10.0.0.1:3000/a']


@pytest.mark.parametrize('line', NO_ADDRESS + NO_URL)
def test_volume_that_nobody_could_reach_does_not_start(tmp_path, line):
    path = conf(tmp_path, f'[Volume]\nDirectory={tmp_path}/data\n{line}\n')
    done = run('volume', f'--config={path}')
    assert done.returncode == 1
    assert line.partition('=')[2] in done.stderr and not (tmp_path / 'data').exists()
    assert f'{path}:3: {line.partition("=")[0]}= must not be ' in done.stderr


@pytest.mark.parametrize('listen', ['{}', '0.0.0.0:{}', '[::]:{}'])
def test_volume_on_all_addresses_is_found_at_that_which_the_master_sees(new_cluster, listen):
    cluster = new_cluster(volumes=1)
    port = cluster[1].port
    cluster[1].stop()
    cluster[1].settings['Listen'] = listen.format(port)
    cluster.start(1)
    wait_for(lambda: cluster.put('k', b'v').status in (201, 204), 'the volume to report')
    assert cluster.health()['volumes'][0]['url'] == f'http://127.0.0.1:{port}'


def test_volume_that_cannot_see_its_address_asks_for_one(tmp_path):
    done = run('volume', f'--config={tmp_path}/none', '--set=Listen=3003', f'--set=Directory={tmp_path}/data',
               '--set=Master=http://no-such-host.invalid:3000')
    assert done.returncode == 1 and 'Url=http://ADDRESS:3003' in done.stderr


@pytest.mark.parametrize('line', NO_ADDRESS)
def test_master_that_nobody_could_reach_does_not_start(tmp_path, line):
    done = run('master', f'--config={tmp_path}/none', f'--set={line}')
    assert done.returncode == 1 and f'--set={line}: Listen= must not be ' in done.stderr


def test_addresses_are_taken_as_they_are_meant(new_cluster):
    """All addresses with a Url=, and a Master= without its scheme and with a slash."""
    cluster = new_cluster(volumes=1)
    port = cluster[1].port
    cluster[1].stop()
    cluster[1].settings.update({'Listen': f'{port}', 'Url': f'127.0.0.1:{port}/',
                                'Master': f'127.0.0.1:{cluster.master.port}/'})
    cluster.start(1)
    wait_for(lambda: cluster.put('k', b'v').status in (201, 204), 'the volume to report')
    assert cluster.health()['volumes'][0]['url'] == f'http://127.0.0.1:{port}'
    time.sleep(1)  # ten reports, of which none says anything
    assert len(cluster[1].log.read_text().splitlines()) < 8


@pytest.mark.parametrize('assignment', ['Copies=0', 'Copies', 'Nonsense=1'])
def test_bad_set_option(assignment):
    done = run('master', f'--set={assignment}')
    assert done.returncode in (1, 2) and assignment in done.stderr


def test_ticket_longer_than_grace(tmp_path):
    done = run('master', f'--config={tmp_path}/none', '--set=GraceSec=1s', '--set=TicketSec=2s')
    assert done.returncode == 1 and 'TicketSec' in done.stderr


@pytest.mark.sanitize
def test_unknown_settings_warn_and_defaults_can_be_overridden(new_cluster):
    """An unknown name is no reason to stay away; a later file wins."""
    cluster = new_cluster(volumes=1, master={'FromTheFuture': '1', 'ValueSizeMax': '1G'})
    assert re.search(r'warning .*master\.conf:\d+: .*FromTheFuture', cluster.master.log.read_text())
    drop_in = cluster.directory / 'master.conf.d/50.conf'
    drop_in.parent.mkdir()
    drop_in.write_text('[Master]\nValueSizeMax=10\n')
    cluster.restart('master')
    cluster.put('k', b'x' * 10).expect(201)
    cluster.put('k', b'x' * 11).expect(413)


@pytest.mark.parametrize('secret', [None, b'', b'short'])
def test_secret_that_is_none(tmp_path, secret):
    if secret is not None:
        (tmp_path / 'secret').write_bytes(secret)
    port, = free_ports(1)
    done = run('master', f'--config={tmp_path}/none', f'--set=Directory={tmp_path}',
               f'--set=Listen=127.0.0.1:{port}', f'--set=SecretFile={tmp_path}/secret')
    assert done.returncode == 1 and f'{tmp_path}/secret' in done.stderr
    assert 'dkvadm secret create' in done.stderr


@pytest.mark.sanitize
@pytest.mark.parametrize('who', ['master', 1])
def test_directory_and_port_have_one_daemon(new_cluster, who, tmp_path):
    cluster = new_cluster(volumes=1)
    kind = 'master' if who == 'master' else 'volume'
    port, = free_ports(1)

    twice = run(kind, f'--config={cluster[who].conf}', f'--set=Listen=127.0.0.1:{port}')
    assert twice.returncode == 1 and str(cluster[who].data) in twice.stderr
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    taken = run(kind, f'--config={cluster[who].conf}', f'--set=Directory={elsewhere}')
    assert taken.returncode == 1 and str(cluster[who].port) in taken.stderr
    cluster.put('k', b'unharmed').expect(201)


def test_volume_of_another_secret_is_not_let_in(new_cluster):
    cluster = new_cluster(volumes=2)
    cluster[2].stop()
    wait_for(lambda: not cluster.health()['volumes'][1]['up'], 'the volume to be missed')
    secret = cluster.directory / 'other-secret'
    secret.write_bytes(b'not what the others have')
    secret.chmod(0o600)
    cluster[2].settings['SecretFile'] = secret
    cluster.start(2)
    wait_for(lambda: 'other' in cluster[2].log.read_text(), 'the volume to be refused')
    assert [v['up'] for v in cluster.health()['volumes']] == [True, False]
    for n in range(10):
        cluster.put(f'{n}', b'x').expect(201)
        assert cluster.where(f'{n}')['copies'][0]['volume'] == 1


def test_volume_with_a_number_that_is_taken(new_cluster):
    """A second volume 1, with another uuid: the first one stays what it is."""
    cluster = new_cluster(volumes=1)
    cluster.put('k', b'v').expect(201)
    port, = free_ports(1)
    directory = cluster.directory / 'impostor'
    directory.mkdir()
    impostor = subprocess.Popen(
        [VOLUME, f'--config={cluster[1].conf}', f'--set=Directory={directory}',
         f'--set=Listen=127.0.0.1:{port}'], stderr=subprocess.PIPE, text=True)
    try:
        assert any(re.search('uuid|taken|refuse', line) for line in impostor.stderr)
        assert cluster.get('k').body == b'v'
    finally:
        impostor.kill()
        impostor.communicate()
        shutil.rmtree(directory)
