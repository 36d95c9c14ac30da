# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a service manager does with a daemon: sockets passed in, readiness and status, reload, stop."""

import collections
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from cluster import CURL, DEADLINE, free_ports, wait_for


class Manager:
    """In the place of systemd: holds the daemon's socket, and is told how it is."""

    def __init__(self, directory, daemon, name='notify'):
        self.daemon = daemon
        self.listener = socket.create_server(('127.0.0.1', daemon.port), backlog=512)
        self.more = []  # other sockets of the same unit
        self.path = directory / name
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.path))
        self.notify.settimeout(DEADLINE)
        self.told = collections.deque(maxlen=1000)

    def start(self):
        listeners = [self.listener, *self.more]
        environment = {'LISTEN_FDS': str(len(listeners)), 'LISTEN_FDNAMES': ':'.join(['http'] * len(listeners)),
                       'NOTIFY_SOCKET': str(self.path)}

        def pass_listeners():
            copies = [os.dup2(one.fileno(), 100 + i) for i, one in enumerate(listeners)]
            for i, copy in enumerate(copies):
                os.dup2(copy, 3 + i)

        with open(self.daemon.log, 'ab') as log:
            self.daemon.process = subprocess.Popen(
                ['setpriv', '--pdeathsig=KILL', 'sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh',
                 self.daemon.program, f'--config={self.daemon.conf}', '--bus-address=none'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=range(3, 3 + len(listeners)),
                preexec_fn=pass_listeners,
                env={**os.environ, **environment})
        self.wait_told('READY=1')

    def wait_told(self, pattern):
        """Reads until a message matches; all others are forgotten."""
        while True:
            message = self.notify.recv(4096).decode()
            if re.search(pattern, message):
                return message

    def close(self):
        for one in [self.listener, *self.more]:
            one.close()
        self.notify.close()


@pytest.fixture
def manage(new_cluster):
    """manage(who, …): a cluster, one daemon of which is managed."""
    managers = []

    def new(who, **arguments):
        cluster = new_cluster(**arguments)
        cluster[who].stop()
        managers.append(Manager(cluster.directory, cluster[who]))
        managers[-1].start()
        cluster.wait_healthy()
        return cluster, managers[-1]

    yield new
    for one in managers:
        one.close()


class Load:
    """Clients with connections that they keep, writing and reading keys of their own. A connection
    that was used before may be closed any time: then they open another and ask again, once."""

    def __init__(self, cluster, n_clients):
        self.cluster = cluster
        self.stop = threading.Event()
        self.requests, self.reopened, self.failures = 0, 0, []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(n_clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def ask(self, connections, method, url, body=None):
        port, path = re.fullmatch(r'http://127\.0\.0\.1:(\d+)(/.*)', url).groups()
        for again in False, True:
            known = connections.pop(port, None)
            connection = known or http.client.HTTPConnection('127.0.0.1', int(port), timeout=DEADLINE)
            try:
                connection.request(method, path, body)
                answer = connection.getresponse()
                data = answer.read()
                if not answer.will_close:
                    connections[port] = connection
                return answer, data
            except (http.client.HTTPException, OSError):
                connection.close()
                if again or not known:
                    raise
                self.reopened += 1
        return None

    def run(self, number):
        connections, n = {}, 0
        while not self.stop.is_set():
            url, value = f'{self.cluster.url}/{number}', f'{number}.{n}'.encode() * 50
            n += 1
            try:
                answer, data = self.ask(connections, 'PUT', url, value)
                assert answer.status in (201, 204), (answer.status, data)
                answer, data = self.ask(connections, 'GET', url)
                if answer.status == 307:
                    answer, data = self.ask(connections, 'GET', answer.headers['Location'])
                assert answer.status == 200 and data == value, (answer.status, data)
            except (http.client.HTTPException, OSError, AssertionError) as failure:
                self.failures.append(f'{number}.{n}: {failure!r}')
            self.requests += 2


@pytest.mark.parametrize('who', ['master', 1])
def test_restarts_under_load_lose_nothing(manage, who):
    cluster, manager = manage(who, volumes=2, copies=1)
    with Load(cluster, 16) as load:
        for _ in range(5):
            before = load.requests
            wait_for(lambda: load.requests > before + 200 or load.failures, 'load')
            manager.daemon.stop()
            manager.start()
        before = load.requests
        wait_for(lambda: load.requests > before + 200 or load.failures, 'load')
    assert not load.failures
    assert load.requests > 1000


def test_stop_lets_requests_end(manage):
    """Half an upload is under way: it is stored, and others are served meanwhile."""
    cluster, manager = manage('master', volumes=1, master={'Proxy': 'yes'})
    cluster.put('other', b'v').expect(201)
    idle = cluster.raw()
    idle.head('GET', '/other').answer().expect(200)
    slow = cluster.raw().head('PUT', '/k', 'Content-Length: 6', 'Expect: 100-continue')
    assert '100' in slow.status_line()  # it has begun
    slow.send('abc')

    manager.daemon.process.send_signal(signal.SIGTERM)
    manager.wait_told('STOPPING=1')
    assert idle.head('GET', '/other').answer().expect(200)['Connection'] == 'close'
    slow.send('def')
    assert slow.answer().expect(201)['Connection'] == 'close'
    assert manager.daemon.wait() == 0

    manager.start()
    assert cluster.get('k').expect(200).body == b'abcdef'


def test_stop_keeps_the_door_open_for_relays(manage):
    """A large value passes through the master. Its volume is to commit it there, and may have to
    connect for that."""
    cluster, manager = manage('master', volumes=1, master={'Proxy': 'yes'})
    slow = cluster.raw().head('PUT', '/k', 'Content-Length: 100000', 'Expect: 100-continue')
    assert '100' in slow.status_line()
    slow.send('a' * 60000)

    manager.daemon.process.send_signal(signal.SIGTERM)
    manager.wait_told('STOPPING=1')
    for _ in range(20):
        cluster.raw().head('GET', '/other', 'Connection: close').answer().expect(404)
    slow.send('a' * 40000)
    slow.answer().expect(201)
    assert manager.daemon.wait() == 0

    manager.start()
    assert cluster.get('k').expect(200).body == b'a' * 100000


def test_stop_has_an_end(manage):
    cluster, manager = manage('master', volumes=1, master={'Proxy': 'yes', 'StopSec': '1s'})
    slow = cluster.raw().head('PUT', '/k', 'Content-Length: 6', 'Expect: 100-continue')
    assert '100' in slow.status_line()
    manager.daemon.stop()
    assert '1 requests did not end in time and are cut' in manager.daemon.log.read_text()
    slow.close()
    manager.start()
    cluster.get('k').expect(404)


def test_two_that_stop_do_not_wait_for_each_other(new_cluster):
    """Each has a large value on its way that is to go to the other, too, whose door is closed."""
    cluster = new_cluster(volumes=2, copies=2, volume={'StopSec': '1h', 'TimeoutSec': '1h'})
    managers = []
    for n in 1, 2:
        cluster[n].stop()
        managers.append(Manager(cluster.directory, cluster[n], f'notify-{n}'))
        managers[-1].start()
    cluster.wait_healthy()

    urls, n = {}, 0
    while len(urls) < 2:
        url = cluster.write_redirect(f'k{n}')
        urls.setdefault(cluster.volume_of(url), url)
        n += 1

    open_ones = {n: cluster.raw(n) for n in urls}
    for raw in open_ones.values():
        raw.head('GET', '/-/health').answer().expect(200)
    for manager in managers:
        manager.daemon.process.send_signal(signal.SIGTERM)
    for manager in managers:
        manager.wait_told('STOPPING=1')
    for n, raw in open_ones.items():
        path = re.sub('^http://[^/]*', '', urls[n])
        raw.head('PUT', path, 'Content-Length: 100000').send(b'v' * 100000)
    for raw in open_ones.values():
        raw.answer().expect(503)
    for manager in managers:
        assert manager.daemon.wait() == 0
        manager.start()
        manager.close()
    cluster.wait_healthy()
    cluster.put('k', b'v' * 100000).expect(201)


def test_status_is_kept_current(manage):
    cluster, manager = manage('master', volumes=2)
    cluster.put('k', b'v').expect(201)
    manager.wait_told('^STATUS=Serving 1 keys on 2 volumes$')
    cluster.kill(2)
    assert '2' in manager.wait_told('^STATUS=.*down')


def test_status_of_a_volume(manage):
    cluster, manager = manage(1, volumes=1)
    cluster.put('k', b'v').expect(201)
    manager.wait_told(rf'STATUS=Volume 1: 1 objects, .* reporting to {cluster.url}$')
    cluster.kill('master')
    manager.wait_told('STATUS=Volume 1: .* no daemon listens there')


def test_socket_that_is_passed_counts(manage):
    cluster, manager = manage('master', volumes=0)
    other, = free_ports(1)
    manager.daemon.stop()
    manager.daemon.conf.write_text(
        manager.daemon.conf.read_text().replace(f':{manager.daemon.port}\n', f':{other}\n'))
    manager.start()
    assert cluster.health()['status'] == 'down'  # no volume, but it answers
    assert f'Listen=127.0.0.1:{other} is not used' in manager.daemon.log.read_text()


@pytest.mark.parametrize('who', ['master', 1])
def test_all_sockets_that_are_passed_are_served(manage, who):
    """As those of a second ListenStream= in a drop-in."""
    cluster, manager = manage(who, volumes=1)
    more = [socket.create_server(('127.0.0.2', 0)), socket.create_server(('::1', 0), family=socket.AF_INET6)]
    manager.more = more
    cluster[who].process.terminate()
    cluster[who].process.wait(DEADLINE)
    manager.start()
    urls = [f'http://127.0.0.1:{cluster[who].port}', f'http://127.0.0.2:{more[0].getsockname()[1]}',
            f'http://[::1]:{more[1].getsockname()[1]}']
    for url in urls * 20:
        subprocess.run([*CURL, '--max-time', '5', '--output', '/dev/null', f'{url}/-/health'], check=True)


def test_reload(manage):
    cluster, manager = manage('master', volumes=1)
    drop_in = cluster.directory / 'master.conf.d/50.conf'
    drop_in.parent.mkdir()

    def reload(text):
        drop_in.write_text(f'[Master]\n{text}\n')
        manager.daemon.process.send_signal(signal.SIGHUP)
        manager.wait_told(r'RELOADING=1\nMONOTONIC_USEC=\d+')
        manager.wait_told('READY=1')

    reload('ValueSizeMax=5\nThreads=7')
    cluster.put('k', b'123456').expect(413)
    log = manager.daemon.log.read_text()
    assert "ValueSizeMax= is '5' from now on" in log
    assert "Threads= changed to '7'; this needs a restart (systemctl restart dkv-master)" in log

    reload('ValueSizeMax=many')
    assert f'{drop_in}:2: ' in manager.daemon.log.read_text()
    cluster.put('k', b'123456').expect(413)

    reload('')
    cluster.put('k', b'123456').expect(201)


def test_reload_of_a_volume(manage):
    cluster, manager = manage(1, volumes=1)
    drop_in = cluster.directory / 'volume-1.conf.d/50.conf'
    drop_in.parent.mkdir()
    drop_in.write_text('[Volume]\nZone=cellar\nInlineMax=1K\n')
    manager.daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: cluster.health()['volumes'][0]['zone'] == 'cellar', 'the new zone')
    assert 'InlineMax= changed' in manager.daemon.log.read_text()
    assert 'systemctl restart dkv-volume@1' in manager.daemon.log.read_text()


@pytest.mark.parametrize('who', ['master', 1])
def test_a_secret_that_others_can_read_is_told(new_cluster, who):
    """systemd hands the daemon a copy that only it can read, whatever the file itself allows."""
    cluster = new_cluster(volumes=1)
    secret = pathlib.Path(cluster.master.settings['SecretFile'])
    credentials = cluster.directory / 'credentials'
    credentials.mkdir()
    shutil.copy(secret, credentials / 'dkv.secret')

    def log_with(mode):
        secret.chmod(mode)
        cluster[who].stop()
        cluster[who].environment = {'CREDENTIALS_DIRECTORY': str(credentials)}
        cluster[who].start()
        cluster.wait_healthy()
        return cluster[who].log_tail(4)

    assert 'chmod' not in log_with(0o600)
    warning = f"'{secret}' has the mode 0644, so that others than its owner may read it"
    assert warning in (log := log_with(0o644)) and f"chmod 600 '{secret}'" in log
    cluster.put('k', b'v').expect(201)
