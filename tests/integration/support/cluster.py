# SPDX-License-Identifier: LGPL-2.1-or-later
"""A cluster for tests: a master and volumes as child processes on free ports, and a client that
sees what the daemons really said. Nothing here sleeps for luck: what takes time is waited for."""

import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

SUPPORT = pathlib.Path(__file__).parent
SOURCE = SUPPORT.parents[2]
BUILD = pathlib.Path(os.environ.get('DKV_BUILD', SOURCE / 'build')).resolve()
MASTER, VOLUME, BENCH, SANDBOX, DKVADM = (
    BUILD / program for program in ('daemons/master/dkv-master', 'daemons/volume/dkv-volume',
                                    'cli/dkv-bench', 'cli/dkv-sandbox', 'cli/dkvadm'))
SANITIZED = MASTER.exists() and b'__asan_init' in MASTER.read_bytes()
DEADLINE = 60 if SANITIZED else 30

CURL = ['curl', '--silent', '--show-error', '--noproxy', '*', '--max-time', '600']

# What must never be in a log, whatever the test did to the daemon.
SANITIZER_REPORT = re.compile(r'.*(?:Sanitizer|runtime error:|Assertion .* failed).*')


def wait_for(condition, what='', deadline=DEADLINE):
    """Calls CONDITION until it returns something true; returns that."""
    end = time.monotonic() + deadline
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f'not within {deadline} s: {what or condition.__name__}'
        time.sleep(0.02)


# From where to where; tests/run gives each of the suites that it runs at a time ports of its own.
PORTS = range(*map(int, os.environ.get('DKV_PORTS', '10000-32000').split('-')))


given = set()  # by free_ports()


def free_ports(n):
    """Neighbouring ports nobody listens on, below those that the kernel gives to outgoing
    connections: a daemon that is killed must find its port free again. So nobody else gets it
    meanwhile, until all have been given out."""
    if len(given) > len(PORTS) // 2:
        given.clear()
    while True:
        first = random.choice(PORTS[:-n])
        if not given.isdisjoint(range(first, first + n)):
            continue
        sockets = []
        try:
            for port in range(first, first + n):
                sockets.append(socket.socket())
                sockets[-1].bind(('127.0.0.1', port))
            given.update(range(first, first + n))
            return list(range(first, first + n))
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()


def path_of(key):
    """The path of a key, which is str or bytes."""
    key = key if isinstance(key, bytes) else key.encode()
    return '/' + urllib.parse.quote_from_bytes(key, safe='-._~/')


class Answer:
    def __init__(self, response, head=False):
        self.status = response.status
        self.headers = response.headers
        self.body = b'' if head else response.read()

    def __getitem__(self, name):
        return self.headers[name]

    def __repr__(self):
        return f'{self.status} {dict(self.headers)} {self.body[:300]!r}'

    @property
    def json(self):
        return json.loads(self.body)

    def expect(self, *statuses):
        """Fails unless the status is one of these. Every error must explain itself."""
        assert self.status in statuses, self
        if self.status >= 400 and self.body:
            assert self['Content-Type'] == 'application/problem+json', self
            assert self.json['status'] == self.status, self
            assert self.json['title'], self
        if self.status == 503:
            assert int(self['Retry-After']) > 0, self
        return self


class Raw:
    """A connection that sends the very bytes it is given."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=DEADLINE)

    def send(self, *pieces):
        for piece in pieces:
            self.socket.sendall(piece if isinstance(piece, bytes) else piece.encode('latin-1'))
        return self

    def head(self, method, target, *headers):
        """The beginning of a request."""
        lines = [f'{method} {target} HTTP/1.1', 'Host: dkv', *headers, '', '']
        return self.send('\r\n'.join(lines))

    def chunk(self, data):
        """A piece of a chunked body; an empty one ends it."""
        return self.send(f'{len(data):x}\r\n', data, '\r\n')

    def answer(self, method='GET'):
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        return Answer(response, head=method == 'HEAD')

    def status_line(self):
        """Reads one line and the empty one behind it, as of 100 Continue."""
        data = b''
        while not data.endswith(b'\r\n\r\n'):
            piece = self.socket.recv(1)
            assert piece, data
            data += piece
        return data.split(b'\r\n')[0].decode()

    def reset(self):
        """Goes away without a goodbye."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Bus:
    """A private D-Bus. Its socket lies where the path is short enough for one."""

    CONF = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
         "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
        <busconfig>
          <type>session</type>
          <listen>{}</listen>
          <auth>EXTERNAL</auth>
          <policy context="default">
            <allow own="*"/>
            <allow send_destination="*"/>
            <allow receive_sender="*"/>
          </policy>
        </busconfig>"""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='dkv-bus-', dir='/tmp'))
        self.address = f'unix:path={self.directory}/socket'
        self.process = None
        (self.directory / 'conf').write_text(self.CONF.format(self.address))
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ['setpriv', '--pdeathsig=KILL', 'dbus-daemon', f'--config-file={self.directory}/conf',
             '--nofork', '--nopidfile', '--print-address'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout.readline().startswith(b'unix:')  # now it listens

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def is_alive(self):
        return self.process.poll() is None

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Daemon:
    """One process, which may be killed and started again."""

    def __init__(self, kind, name, directory, settings):
        self.program = MASTER if kind == 'master' else VOLUME
        self.name = name
        self.conf = directory / f'{name}.conf'
        self.log = directory / f'{name}.log'
        self.data = pathlib.Path(settings['Directory'])
        self.settings = settings
        self.port = int(settings['Listen'].rpartition(':')[2])
        self.section = kind.capitalize()
        self.environment = {}
        self.options = []
        self.bus_address = 'none'
        self.is_on_bus = False  # since its last start, as far as somebody has looked
        self.good_ends = {0}  # exit statuses
        self.lock = threading.RLock()  # of the process
        self.process = None
        self.data.mkdir(exist_ok=True)

    def arguments(self):
        """Those of the program, once its settings are written."""
        lines = ''.join(f'{name}={value}\n' for name, value in self.settings.items())
        self.conf.write_text(f'[{self.section}]\n{lines}')
        return f'--config={self.conf}', f'--bus-address={self.bus_address}', *self.options

    def start(self):
        assert not self.process
        self.is_on_bus = False
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(  # which dies with us, however we do
                ['setpriv', '--pdeathsig=KILL', self.program, *self.arguments()],
                start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self.environment})

    def start_again_after(self, status):
        """Starts it again if it has ended so."""
        with self.lock:
            if self.process and self.process.poll() == status:
                self.process = None
                self.start()

    def kill(self, sig=signal.SIGKILL):
        """Sends a signal. If it is one that ends, waits for that and returns the exit status; if it is one that
        stops, until no thread runs any more."""
        with self.lock:
            self.process.send_signal(sig)
            if sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGABRT):
                return self.wait()
            if sig == signal.SIGSTOP:
                wait_for(self.is_stopped, 'the threads to stop')
        return None

    def is_stopped(self):
        try:
            stats = [stat.read_text() for stat in pathlib.Path(f'/proc/{self.process.pid}/task').glob('*/stat')]
        except OSError:  # a thread has just ended
            return False
        return all(stat.rpartition(')')[2].split()[0] == 'T' for stat in stats)

    def wait(self):
        status = self.process.wait(DEADLINE)
        self.process = None
        return status

    def stop(self):
        status = self.kill(signal.SIGTERM)
        assert status in self.good_ends, f'{self.name} stopped with {status}: {self.log_tail()}'

    def log_tail(self, lines=40):
        text = self.log.read_text(errors='replace') if self.log.exists() else ''
        return '\n'.join(text.splitlines()[-lines:])

    def resident(self, field='VmRSS'):
        """Resident memory in bytes; VmHWM is its peak so far."""
        status = pathlib.Path(f'/proc/{self.process.pid}/status').read_text()
        return int(re.search(rf'{field}:\s+(\d+) kB', status)[1]) * 1024


LOST_THE_LEAD = 11  # the exit status of a master that systemd starts again at once


class Cluster:
    """Starts at once. MASTER and VOLUME are settings of theirs; DATA says for volumes, by number,
    where they shall have their data if not in DIRECTORY. With BUS they have one, and dkvadm(). With
    several MASTERS 'master' is the one that leads, and 'master-2' the second one."""

    running = []  # for the report of a failed test

    def __init__(self, directory, volumes=3, copies=1, master=None, volume=None, data=None,
                 wait=True, bus=False, masters=1):
        ports = free_ports(masters + volumes)
        secret = directory / 'secret'
        secret.write_bytes(os.urandom(24).hex().encode())
        secret.chmod(0o600)

        self.directory = directory
        self.urls = [f'http://127.0.0.1:{port}' for port in ports[:masters]]
        self.url = self.urls[0]
        self.masters = {n: Daemon('master', f'master-{n}' if masters > 1 else 'master', directory, {
            'Directory': directory / (f'master-{n}.data' if masters > 1 else 'master'),
            'Listen': f'127.0.0.1:{ports[n - 1]}',
            'SecretFile': secret,
            'AutoAddVolumes': 'yes',
            'Copies': copies,
            **(master or {})}) for n in range(1, masters + 1)}
        self.volume_settings = volume or {}
        self.volumes = {}
        for n in range(1, volumes + 1):
            self.new_volume(n, ports[masters + n - 1],
                            Directory=(data or {}).get(n, self.data_of(n)))

        self.bus = Bus() if bus else None
        if bus:
            (directory / 'bus').write_text(f'{self.bus.address}\n')  # as a sandbox has it

        Cluster.running.append(self)
        self.is_closing, self.is_closed = threading.Event(), threading.Event()
        self.supervisor = None
        try:
            if masters > 1:
                self.found_group()
            for daemon in self.daemons:
                daemon.bus_address = self.bus.address if bus else 'none'
                daemon.start()
            if wait:
                self.wait_healthy()
        except BaseException:
            self.abandon()
            raise

    # Several masters

    def found_group(self):
        """The first master makes the group, and the others get what it prints."""
        seed = self.directory / 'seed'
        for n, daemon in self.masters.items():
            option = f'--found-group={",".join(self.urls)}' if n == 1 else f'--join-group={n}'
            with open(seed, 'wb' if n == 1 else 'rb') as file:
                subprocess.run([daemon.program, *daemon.arguments(), option], check=True,
                               **{'stdout' if n == 1 else 'stdin': file})
            daemon.good_ends.add(LOST_THE_LEAD)
        self.supervisor = threading.Thread(target=self.supervise)
        self.supervisor.start()

    def supervise(self):
        """What systemd does for masters that have lost the lead."""
        while not self.is_closing.wait(0.02):
            for daemon in self.masters.values():
                daemon.start_again_after(LOST_THE_LEAD)
        self.is_closed.wait()  # what it has started would die with it

    def role(self, n):
        """What the master says of itself; None if it says nothing."""
        try:
            return self.health(f'master-{n}').get('role')
        except (OSError, http.client.HTTPException):
            return None

    def leader(self):
        """The number of the master that leads, once one does."""
        if len(self.masters) == 1:
            return 1
        return wait_for(lambda: next((n for n, one in self.masters.items()
                                      if one.process and self.role(n) == 'leader'), None),
                        'a master that leads')

    def is_agreed(self):
        """Whether all masters that run agree on who leads."""
        health = [self.health(f'master-{n}') for n, one in self.masters.items() if one.process]
        leaders = [self.urls[n - 1] for n in self.masters if self.role(n) == 'leader']
        return len(leaders) == 1 and all(
            one['role'] == 'leader' or one['leader'] == leaders[0] for one in health)

    @property
    def master(self):
        return self.masters[self.leader()]

    def data_of(self, n):
        return self.directory / f'volume-{n}.data'

    def new_volume(self, n, port=None, **settings):
        """One more, which does not run yet."""
        self.volumes[n] = Daemon('volume', f'volume-{n}', self.directory, {
            'Number': n,
            'Directory': self.data_of(n),
            'Listen': f'127.0.0.1:{port or free_ports(1)[0]}',
            'Master': ','.join(self.urls),
            'SecretFile': self.masters[1].settings['SecretFile'],
            'ReportSec': '100ms',
            **self.volume_settings,
            **settings})
        return self.volumes[n]

    @property
    def daemons(self):
        return [*self.masters.values(), *self.volumes.values()]

    def __getitem__(self, who):
        if isinstance(who, int):
            return self.volumes[who]
        return self.master if who == 'master' else self.masters[int(who.removeprefix('master-'))]

    def close(self):
        """Stops what runs, and complains of anything that a healthy daemon does not do."""
        Cluster.running.remove(self)
        self.is_closing.set()
        try:
            for daemon in self.daemons:
                if daemon.process:
                    daemon.kill(signal.SIGCONT)
                    daemon.stop()
            for daemon in self.daemons:
                report = SANITIZER_REPORT.search(daemon.log.read_text(errors='replace'))
                assert not report, f'{daemon.name}: {report[0]}\n{daemon.log_tail(60)}'
        finally:
            self.abandon()

    def abandon(self):
        self.is_closing.set()
        for daemon in self.daemons:
            if daemon.process:
                daemon.kill()
            shutil.rmtree(daemon.data, ignore_errors=True)
        self.is_closed.set()
        if self.supervisor:
            self.supervisor.join()
        if self.bus:
            self.bus.close()
            self.bus = None

    # Daemons

    def kill(self, who, sig=signal.SIGKILL):
        return self[who].kill(sig)

    def start(self, who):
        self[who].start()

    def restart(self, who):
        self[who].stop()
        self[who].start()
        self.wait_healthy()

    def wait_healthy(self, deadline=DEADLINE):
        """Until the master sees all volumes that run as active and up, and the others as down."""
        def is_seen(n, volume, seen):
            if not volume.process:
                return not seen or not seen['up']
            return seen and seen['up'] and seen['state'] == 'active' and self.health(n)['master']

        def healthy():
            for daemon in self.daemons:
                assert not daemon.process or daemon.process.poll() in (None, LOST_THE_LEAD), \
                    f'{daemon.name} ended with {daemon.process.returncode}:\n{daemon.log_tail()}'
            try:
                if len(self.masters) > 1 and not self.is_agreed():
                    return False
                seen = {v['number']: v for v in self.health()['volumes']}
                return all(is_seen(n, one, seen.get(n)) for n, one in self.volumes.items())
            except (OSError, http.client.HTTPException):
                return False

        wait_for(healthy, 'all volumes active', deadline)

    def wait_on_bus(self):
        """Until the master has its name on the bus; after its start clients are served first."""
        def has_name():
            return subprocess.run(
                ['busctl', f'--address={self.bus.address}', 'status', 'org.dkv.Master1'],
                capture_output=True, check=False).returncode == 0

        wait_for(has_name, 'the name on the bus')
        self.master.is_on_bus = True

    def health(self, who='master'):
        return self.request('GET', '/-/health', who=who).json

    # HTTP

    def request(self, method, target, body=None, headers=None, who='master'):
        """One request, no redirect followed. TARGET is a path with query, or a whole URL."""
        port = self[who].port
        if target.startswith('http://'):
            url = urllib.parse.urlsplit(target)
            port, target = url.port, url.path + (f'?{url.query}' if url.query else '')
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=DEADLINE)
        try:
            connection.connect()
            try:
                connection.request(method, target, body, headers or {})
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was sent; the answer says why
            return Answer(connection.getresponse(), head=method == 'HEAD')
        finally:
            connection.close()

    def put(self, key, value, query='', method='PUT', **headers):
        return self.request(method, path_of(key) + query, value, to_headers(headers))

    def post(self, key, value, **headers):
        return self.put(key, value, method='POST', **headers)

    def get(self, key, query='', **headers):
        """Follows the redirect, as curl -L does."""
        answer = self.request('GET', path_of(key) + query, headers=to_headers(headers))
        if answer.status == 307:
            answer = self.request('GET', answer['Location'], headers=to_headers(headers))
        return answer

    def head(self, key, **headers):
        return self.request('HEAD', path_of(key), headers=to_headers(headers))

    def delete(self, key, **headers):
        return self.request('DELETE', path_of(key), headers=to_headers(headers))

    def redirect(self, key):
        """The URL with ticket that a GET is sent to."""
        return self.request('GET', path_of(key)).expect(307)['Location']

    def ask_for_write(self, key, *headers, size=None, method='PUT'):
        """The answer to a PUT that waits for 100 Continue: a redirect, if it is not known to be small."""
        length = 'Transfer-Encoding: chunked' if size is None else f'Content-Length: {size}'
        with self.raw().head(method, path_of(key), length, 'Expect: 100-continue', *headers) as raw:
            return raw.answer()

    def write_redirect(self, key, *headers, size=None, method='PUT'):
        """The URL with ticket that such a PUT is sent to."""
        return self.ask_for_write(key, *headers, size=size, method=method).expect(307)['Location']

    def volume_of(self, url):
        """The number of the volume that a URL points to."""
        port = urllib.parse.urlsplit(url).port
        return next(n for n, volume in self.volumes.items() if volume.port == port)

    def raw(self, who='master'):
        return Raw(self[who].port)

    def list(self, **parameters):
        query = urllib.parse.urlencode(parameters, safe='%')
        return self.request('GET', f'/?{query}').expect(200).json

    def where(self, key):
        return self.request('GET', '/-/where' + path_of(key)).expect(200).json

    # Programs

    def curl(self, *arguments, data=None):
        """The real curl. Returns its CompletedProcess; stdout is bytes."""
        return subprocess.run([*CURL, *map(str, arguments)], input=data, capture_output=True,
                              check=False)

    def bench(self, verb, *arguments, check=True):
        """Runs dkv-bench; returns what it says as JSON."""
        done = subprocess.run([BENCH, '--json', '--progress=no', *arguments, verb, self.url],
                              capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f'{done.args}: {done.stdout}{done.stderr}'
        return json.loads(done.stdout)

    def dkvadm(self, *arguments, status=0):
        """Runs dkvadm as its user would. Returns what it prints, or its complaint."""
        if self.bus and self.bus.is_alive() and self.master.process and not self.master.is_on_bus:
            self.wait_on_bus()
        done = subprocess.run([DKVADM, f'--sandbox={self.directory}', *map(str, arguments)],
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == status, f'{done.args}: {done.stdout}{done.stderr}'
        return done.stderr if status in (1, 2) else done.stdout

    def dkvadm_json(self, *arguments, status=0):
        return json.loads(self.dkvadm('--json=short', *arguments, status=status))

    # Leaks

    def copies_in_index(self):
        """How many copies the index names, by walking all of it."""
        connection = http.client.HTTPConnection('127.0.0.1', self.master.port, timeout=DEADLINE)

        def fetch(target):
            connection.request('GET', target)
            return Answer(connection.getresponse()).expect(200).json

        copies, after = 0, ''
        while after is not None:
            page = fetch(f'/?after={after}&limit=1000')
            for entry in page['keys']:
                copies += len(fetch(f'/-/where/{entry["key"]}')['copies'])
            after = page.get('after')
        connection.close()
        return copies

    def objects(self):
        return sum(self.health(n)['objects'] for n in self.volumes)

    def wait_clean(self, deadline=2 * DEADLINE):
        """Until nothing is garbage or pending; then the volumes hold what the index names."""
        def clean():
            # In this order: what is pending no longer may have become garbage.
            return (all(self.health(n)['pending'] == 0 for n in self.volumes)
                    and self.health()['garbage'] == 0)

        wait_for(clean, 'no garbage and nothing pending', deadline)
        assert self.objects() == self.copies_in_index()


def to_headers(words):
    """content_type='a/b' becomes {'Content-Type': 'a/b'}."""
    return {name.replace('_', '-').title(): value for name, value in words.items()}
