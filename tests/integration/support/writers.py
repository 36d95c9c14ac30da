# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients of a group of masters: each writes and reads keys of its own, at any master, and knows
what it may find there."""

import http.client
import random
import threading
import time
import urllib.parse

PATIENCE = 3  # seconds for an answer
FAILED = OSError, http.client.HTTPException


def exchange(url, method, target, body=None):
    """One request at URL; returns status, Location and body."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
    try:
        connection.request(method, target, body)
        response = connection.getresponse()
        return response.status, response.headers['Location'], response.read()
    finally:
        connection.close()


def follow(url, method, target, body=None):
    """Like exchange(), and goes where it is sent. The last element is where the answer came from."""
    for _ in range(6):
        status, location, data = exchange(url, method, target, body)
        if status != 307:
            return status, data, url
        parts = urllib.parse.urlsplit(location)
        url = f'http://{parts.netloc}'
        target = f'{parts.path}?{parts.query}' if parts.query else parts.path
    return 508, b'', url


class Writer(threading.Thread):
    """Of each key it keeps which values a reader may see: the last one that was acknowledged, and
    those whose outcome was not told since."""

    def __init__(self, group, number):
        super().__init__()
        self.group, self.number = group, number
        self.keys = {f'writer-{number}/{n}': {None} for n in range(20)}
        self.acknowledged = self.unknown = 0

    def run(self):
        try:
            while not self.group.is_over.is_set():
                self.write(random.choice(list(self.keys)))
                self.read(random.choice(list(self.keys)))
        except BaseException as error:  # for who waits for the end
            self.group.errors.append(f'{type(error).__name__}: {error}')
            raise

    def write(self, key):
        value = f'{self.number} {self.acknowledged + self.unknown} '.encode() * 20
        self.keys[key].add(value)
        try:
            status, *_ = follow(random.choice(self.group.urls), 'PUT', '/' + key, value)
        except FAILED:
            status = 0
        if status in (201, 204):
            self.keys[key] = {value}
            self.acknowledged += 1
            self.group.note()
        else:
            assert status in (0, 404, 410, 421, 500, 502, 503), status
            self.unknown += 1

    def read(self, key, urls=None):
        try:
            status, data, url = follow(random.choice(urls or self.group.urls), 'GET', '/' + key)
        except FAILED:
            return False
        if status not in (200, 404):
            return False
        found = data if status == 200 else None
        if found == b'' and status == 200:
            return False
        assert found in self.keys[key], \
            f'{url}: {key} is {found!r:.40}, not one of {[str(v)[:40] for v in self.keys[key]]}'
        return True


class Writers:
    """Some of them at work, until stop()."""

    def __init__(self, urls, n=8):
        self.urls, self.errors = urls, []
        self.is_over = threading.Event()
        self.lock = threading.Lock()
        self.times = []  # when writes were acknowledged
        self.writers = [Writer(self, number) for number in range(n)]
        for writer in self.writers:
            writer.start()

    def note(self):
        with self.lock:
            self.times.append(time.monotonic())

    @property
    def acknowledged(self):
        assert not self.errors, self.errors
        return len(self.times)

    def without_writes_since(self, moment):
        """For how long nothing was acknowledged then; None while nothing is."""
        with self.lock:
            later = [when for when in self.times if when > moment]
        return later[0] - moment if later else None

    def stop(self):
        self.is_over.set()
        for writer in self.writers:
            writer.join()
        assert not self.errors, self.errors

    def check(self, deadline=60):
        """Every key has one of the values that it may have."""
        end = time.monotonic() + deadline
        for writer in self.writers:
            for key in writer.keys:
                while not writer.read(key):
                    assert time.monotonic() < end, f'{key} cannot be read'
                    time.sleep(0.05)
