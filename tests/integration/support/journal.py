# SPDX-License-Identifier: LGPL-2.1-or-later
"""A journal of our own: systemd-journald in namespaces, with a /run that nobody else sees. Run as a
program, this is what goes on in there."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

DEADLINE = 30
JOURNALD = next((path for path in ('/usr/lib/systemd/systemd-journald',
                                   '/lib/systemd/systemd-journald') if os.path.exists(path)), None)
SOCKET = '/run/systemd/journal/socket'


class Journal:
    """Raises OSError where there can be none."""

    def __init__(self, directory):
        self.directory = directory
        self.process = subprocess.Popen(
            ['unshare', '--user', '--map-root-user', '--mount', '--net', '--pid', '--fork',
             '--kill-child', '--mount-proc', sys.executable, __file__, directory],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            _, error = self.process.communicate()
            raise OSError(error)

    def log(self, **fields):
        """Writes one entry, and returns when it can be read."""
        print(json.dumps(fields), file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == 'written\n'

    def close(self):
        self.process.communicate()


def send(fields):
    """In the native protocol, in which a value may have several lines."""
    data = b''
    for name, value in fields.items():
        value = value.encode()
        data += name.encode() + b'\n' + len(value).to_bytes(8, 'little') + value + b'\n'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.sendto(data, SOCKET)


def main(directory):
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', '/run'], check=True)
    os.makedirs('/run/systemd/journal')
    os.makedirs('/run/log/journal')
    subprocess.run(['mount', '--bind', directory, '/run/log/journal'], check=True)

    journald = subprocess.Popen([JOURNALD], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + DEADLINE
    while not pathlib.Path(SOCKET).exists():
        if journald.poll() is not None or time.monotonic() > end:
            sys.exit(journald.stderr.read().decode())
        time.sleep(0.02)

    print('ready', flush=True)
    for line in sys.stdin:
        send(json.loads(line))
        subprocess.run(['journalctl', '--sync'], check=True)
        print('written', flush=True)


if __name__ == '__main__':
    main(sys.argv[1])
