# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkv-bench: what it counts and how it ends, against real daemons and against nobody."""

import json
import os
import signal
import subprocess

import pytest

from cluster import BENCH, DEADLINE, free_ports, wait_for

KEYS = ['--keys=200', '--count=200', '--connections=8', '--progress=no']


def bench(*arguments, status=0, **options):
    """Returns stdout and stderr."""
    done = subprocess.run([BENCH, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE,
                          check=False, **options)
    assert done.returncode == status, f'{done.args}: {done.stdout}{done.stderr}'
    return done.stdout, done.stderr


def figures(*arguments, status=0):
    return json.loads(bench('--json', *arguments, status=status)[0])


# The command line

@pytest.mark.parametrize('arguments, complaint', [
    ([], 'A verb is missing; see --help.'),
    (['dance'], "Unknown verb 'dance'; see --help."),
    (['check'], 'Usage: dkv-bench [OPTIONS] check FILE [URL]'),
    (['put', 'http://a', 'http://b'], 'Usage: dkv-bench [OPTIONS] put [URL]'),
    (['put', '--frobnicate'], "Unknown option '--frobnicate'; see --help."),
    (['put', '--key=1'], "Unknown option '--key'; see --help."),
    (['put', '--keys'], 'Option --keys needs a value; see --help.'),
    (['put', '--keys=0'], "Invalid value '0' for --keys; see --help."),
    (['put', '--connections=65537'], "Invalid value '65537' for --connections; see --help."),
    (['put', '--threads=257'], "Invalid value '257' for --threads; see --help."),
    (['put', '--read=101'], "Invalid value '101' for --read; see --help."),
    (['put', '--duration=soon'], "Invalid value 'soon' for --duration; see --help."),
    (['put', '--verify=perhaps'], "Invalid value 'perhaps' for --verify; see --help."),
    (['put', '--pattern=zigzag'], "Unknown pattern 'zigzag'."),
    (['put', '--size=big'], "Invalid sizes 'big'."),
    (['put', '--prefix=' + 'p' * 1024], 'The prefix is too long.'),
    (['put', '--raw'], '--raw and --tickets are for the verb get.'),
    (['delete', '--tickets'], '--raw and --tickets are for the verb get.'),
    (['get', '--raw', '--tickets'], '--raw and --tickets exclude each other.'),
    (['get', '--acknowledged=/tmp/x'], '--acknowledged is for the verbs put and mixed.'),
    (['put', '--acknowledged=/tmp/x', '--keys=1'], '--acknowledged needs a key per connection.'),
    (['put', 'ftp://x'], "The URL 'ftp://x' is not of the form http://HOST[:PORT]."),
    (['put', 'http://127.0.0.1/x'], "The URL 'http://127.0.0.1/x' must have no path."),
])
def test_usage(arguments, complaint, tmp_path):
    out, err = bench(*arguments, status=2, cwd=tmp_path)
    assert (out, err) == ('', complaint + '\n')
    assert not list(tmp_path.iterdir())


def test_help_and_version():
    text, err = bench('--help')
    assert err == '' and all(f'\n  {verb} ' in text for verb in ('put', 'get', 'mixed', 'delete', 'check'))
    assert bench('put', '--help')[0] == text
    assert max(map(len, text.splitlines())) <= 110
    assert bench('--version')[0].startswith('dkv-bench ')


def test_control_characters_stay_out_of_the_terminal():
    assert bench('\033[31mput', status=2)[1] == "Unknown verb '?[31mput'; see --help.\n"


# Nobody there

def test_server_that_is_not_there():
    port, = free_ports(1)
    out, err = bench('put', f'http://127.0.0.1:{port}', '--count=1000000', '--progress=no', status=1)
    assert f'put http://127.0.0.1:{port}: connections 32, threads 1, ' in out and ' connect: ' in out
    assert err == ''


def test_files_that_cannot_be_used(tmp_path):
    assert bench('check', tmp_path / 'none', status=1)[1] == f"Failed to read '{tmp_path}/none': No such file or directory\n"
    assert bench('check', tmp_path, status=1)[1] == f"Failed to read '{tmp_path}': Is a directory\n"
    assert bench('put', f'--acknowledged={tmp_path}/no/ledger', status=1)[1] == (
        f"Failed to open '{tmp_path}/no/ledger': No such file or directory\n")
    (tmp_path / 'text').write_text('key 1 2\nwhat?\n')
    assert bench('check', tmp_path / 'text', status=1)[1] == f'{tmp_path}/text:2: Not a line of a ledger.\n'


# A cluster

@pytest.mark.sanitize
def test_values_are_written_read_and_deleted(cluster):
    put = figures('put', cluster.url, *KEYS)
    assert put['statuses'] == {'201': 200} and put['failures'] == 0
    assert put['verb'] == 'put' and put['url'] == cluster.url and 'get' not in put
    assert put['put']['requests'] == 200 and put['put']['bytes'] == 200 * 1024

    get = figures('get', cluster.url, *KEYS)
    assert get['get']['bytes'] == 200 * 1024 and get['failures'] == 0
    assert 0 < get['get']['latency_usec']['p50'] <= get['get']['latency_usec']['p99'] <= get['get']['latency_usec']['max']

    mixed = figures('mixed', cluster.url, *KEYS, '--read=50', '--seed=3')
    assert mixed['get']['requests'] + mixed['put']['requests'] == 200
    assert 50 < mixed['get']['requests'] < 150

    assert figures('delete', cluster.url, *KEYS)['statuses'] == {'204': 200}
    gone = figures('get', cluster.url, *KEYS, status=1)
    assert gone['errors']['missing'] == 200 and gone['statuses'] == {'404': 200}
    assert figures('get', cluster.url, *KEYS, '--allow-errors')['errors']['missing'] == 200


def test_sizes_and_ways_of_sending(cluster):
    for options in (['--size=0-100'], ['--size=1K:3,100K:1'], ['--size=200K', '--expect'], ['--size=50K', '--chunked'],
                    ['--size=1', '--threads=4'], ['--pattern=random', '--size=2K'], ['--pattern=zipf']):
        few = ['--keys=40', '--count=40', '--connections=4', '--progress=no', *options]
        assert figures('put', cluster.url, *few, '--pattern=sequential')['failures'] == 0
        assert figures('get', cluster.url, *few)['failures'] == 0


def test_people_get_a_line_for_each_kind(cluster):
    out, err = bench('put', cluster.url, *KEYS)
    head, put, status, errors = out.splitlines()
    assert head.startswith(f'put {cluster.url}: connections 8, threads 1, ') and head.endswith(' s')
    assert put.startswith('  put           200 requests ') and ' p99.9 ' in put
    assert (status, errors) in ((f'  status {n}: 200', '  errors 0') for n in (201, 204)) or '201: ' in status
    assert err == ''


def test_progress_is_told_apart_from_the_result(cluster):
    out, err = bench('mixed', cluster.url, '--keys=200', '--duration=1500ms', '--progress', '--allow-errors')
    assert out.startswith('mixed ') and '/s' in err and 'mixed' not in err


def test_tickets_are_measured_at_the_volumes(cluster):
    large = ['--keys=10', '--size=100K', '--connections=2', '--progress=no']
    assert figures('put', cluster.url, *large, '--count=10')['failures'] == 0
    got = figures('get', cluster.url, *large, '--count=50', '--tickets')
    assert got['statuses'] == {'200': 50} and got['failures'] == 0

    # What is not there leads nowhere.
    said = bench('get', cluster.url, *KEYS, '--prefix=nothing/', '--tickets', status=1)[1]
    assert said == 'Found no redirect for key number 0 of 200.\n'


def test_redirects_that_are_not_followed_are_answers(cluster):
    large = ['--keys=10', '--size=100K', '--connections=2', '--count=10', '--progress=no']
    assert figures('put', cluster.url, *large)['failures'] == 0
    assert figures('get', cluster.url, *large, '--follow=no')['statuses'] == {'307': 10}


def test_raw_takes_any_path(cluster):
    cluster.put('one', b'value').expect(201, 204)
    got = figures('get', f'{cluster.url}/one', '--raw', '--count=20', '--connections=2', '--progress=no')
    assert got['statuses'] == {'200': 20} and got['get']['bytes'] == 100


def test_bytes_of_somebody_else_are_wrong(cluster):
    assert figures('put', cluster.url, *KEYS)['failures'] == 0
    cluster.put('bench/7', b'not from here').expect(204)
    for options in [], ['--allow-errors']:  # that is no error which may be allowed
        assert figures('get', cluster.url, *KEYS, *options, status=1)['errors']['wrong'] == 1
    assert figures('get', cluster.url, *KEYS, '--verify=no')['failures'] == 0


def test_what_was_acknowledged_is_checked(cluster, tmp_path):
    ledger = tmp_path / 'ledger'
    assert figures('put', cluster.url, *KEYS, f'--acknowledged={ledger}')['failures'] == 0
    assert len(ledger.read_text().splitlines()) == 400  # each before and after
    assert bench('check', ledger, cluster.url) == ('200 keys: ok 200 lost 0 late 0 torn 0 wrong 0 unreadable 0\n', '')
    assert figures('check', ledger, cluster.url)['ok'] == 200

    cluster.delete('bench/3').expect(204)
    cluster.put('bench/5', b'torn').expect(204)
    out, err = bench('check', ledger, cluster.url, status=1)
    assert out == '200 keys: ok 198 lost 1 late 0 torn 1 wrong 0 unreadable 0\n'
    assert err == "'bench/3' is lost.\n'bench/5' is torn.\n"


def test_ledger_is_continued(cluster, tmp_path):
    ledger = tmp_path / 'ledger'
    for _ in range(2):
        assert figures('put', cluster.url, *KEYS, f'--acknowledged={ledger}')['failures'] == 0
    assert len(ledger.read_text().splitlines()) == 800
    assert figures('check', ledger, cluster.url)['ok'] == 200


# Ends

def test_pipe_that_is_closed_is_a_failure(cluster):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([BENCH, 'put', cluster.url, *KEYS], stdout=write, stderr=subprocess.PIPE, text=True,
                          timeout=DEADLINE, check=False, preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
    os.close(write)
    assert done.returncode == 1 and done.stderr == 'Failed to print: Broken pipe\n'


def test_full_disk_under_the_result_is_a_failure(cluster):
    with open('/dev/full', 'w', encoding='ascii') as full:
        done = subprocess.run([BENCH, 'put', cluster.url, *KEYS], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=DEADLINE, check=False)
    assert done.returncode == 1 and done.stderr == 'Failed to print: No space left on device\n'


def test_patience_outlasts_a_master_that_is_started_again(new_cluster):
    cluster = new_cluster(volumes=1)
    with subprocess.Popen([BENCH, '--json', '--progress=no', 'put', cluster.url, '--keys=100', '--duration=3s',
                           '--retry=60s', '--connections=4'], stdout=subprocess.PIPE, text=True) as process:
        wait_for(lambda: cluster.list()['keys'], 'the first values')
        cluster.restart('master')
        out, _ = process.communicate(timeout=DEADLINE)
    result = json.loads(out)
    assert process.returncode == 0 and result['failures'] == 0 and result['retries'] > 0
