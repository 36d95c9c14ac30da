# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reverse proxies in front of a daemon: each real, on a port of its own, with connections to the daemon
that it uses again for other clients, as lax with malformed requests as it can be told to be. All of them
answer 403 to whatever is under /victim/: what gets there has not been seen by them."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess

from cluster import free_ports, wait_for

NGINX = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    ignore_invalid_headers off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream dkv {{ server 127.0.0.1:{backend}; keepalive 2; }}
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_request_buffering off;
        location /victim/ {{ return 403; }}
        location / {{ proxy_pass http://dkv; }}
    }}
}}
"""

HAPROXY = """
global
    maxconn 500
defaults
    mode http
    option accept-invalid-http-request
    http-reuse always
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port}
    http-request deny if {{ path_beg /victim/ }}
    default_backend dkv
backend dkv
    server dkv 127.0.0.1:{backend}
"""

VARNISH = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{backend}"; }}
sub vcl_recv {{
    if (req.url ~ "^/victim/") {{ return (synth(403)); }}
    return (pass);
}}
"""


def nginx(conf, directory, _port):
    # Of root's server the workers would run as somebody else.
    user = ['-g', 'user root;'] if os.geteuid() == 0 else []
    return ['nginx', '-p', directory, '-c', conf, '-e', directory / 'error.log', *user]


def haproxy(conf, _directory, _port):
    return ['haproxy', '-f', conf, '-db', '-q']


def varnish(conf, directory, port):
    return ['varnishd', '-F', '-j', 'none', '-n', directory / 'work', '-f', conf, '-a', f'127.0.0.1:{port}',
            '-s', 'default,8m', '-p', 'thread_pool_min=5']


KINDS = {'nginx': (NGINX, nginx), 'haproxy': (HAPROXY, haproxy), 'varnish': (VARNISH, varnish)}


def program(kind):
    """The path of it, or None; administrators' programs are not in everybody's path."""
    path = os.pathsep.join([os.environ['PATH'], '/usr/sbin', '/usr/local/sbin'])
    return shutil.which('varnishd' if kind == 'varnish' else kind, path=path)


class Proxy:
    """Runs while the block does."""

    def __init__(self, kind, backend, directory):
        self.port, = free_ports(1)
        self.directory = pathlib.Path(directory)
        text, command = KINDS[kind]
        conf = self.directory / f'{kind}.conf'
        conf.write_text(text.format(directory=self.directory, port=self.port, backend=backend))
        self.command = [program(kind), *map(str, command(conf, self.directory, self.port)[1:])]

    def is_ready(self):
        assert self.process.poll() is None, (self.directory / 'log').read_text()
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', self.port)) == 0

    def __enter__(self):
        with open(self.directory / 'log', 'wb') as log:
            self.process = subprocess.Popen(['setpriv', '--pdeathsig=TERM', *self.command], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        wait_for(self.is_ready, 'the proxy')
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
