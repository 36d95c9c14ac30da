#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""dkv-http(7) tells what the daemons do over HTTP: each request, parameter, header, status, member of
an answer in JSON, and limit, and nothing else. Usage: http-docs.py SOURCE-ROOT"""

import pathlib
import re
import sys

import pages

PAGE = 'man/dkv-http.7'

ROUTES = {
    'the master': 'daemons/master/routes.c',
    'a volume': 'daemons/volume/routes.c',
}

# Statuses of the table of errors that are for the bus only.
NOT_OVER_HTTP = {'408'}

# Where HTTP is spoken, and where the answers in JSON are made.
HTTP = ['lib/http/**/*.c', 'lib/rpc/*.c', 'daemons/**/*.c']
ANSWERS = ['daemons/master/request/health.c', 'daemons/master/request/json-reply.c', 'daemons/master/request/read.c',
           'daemons/master/request/listing.c', 'daemons/volume/request/health.c']

# How a limit stands in the code, and how in the page.
LIMITS = [
    ('lib/core/key.h', r'KEY_MAX (\d+)', r'1 to {} bytes'),
    ('lib/core/record.h', r'METADATA_MAX +\((\d+) \* KIB\)', r'{} KiB for all names'),
    ('lib/core/record.h', r'CONTENT_TYPE_MAX (\d+)', r'{} bytes\.'),
    ('lib/core/condition.h', r'CONDITION_ETAGS_MAX (\d+)', r"{} of dkv's own"),
    ('daemons/master/request/listing.h', r'LISTING_LIMIT_MAX (\d+)', r'from 1 to {}; '),
    ('daemons/master/request/listing.h', r'LISTING_LIMIT_MAX (\d+)', r'^{}\.$'),
    ('daemons/master/request/listing.h', r'LISTING_LIMIT +(\d+)', r'; {} without it'),
    ('daemons/master/request/write.h', r'WRITE_BUFFER_MAX \((\d+) \* KIB\)', r'up to {} KiB'),
]


def source(root, globs):
    return '\n'.join(path.read_text() for glob in globs for path in sorted(root.glob(glob)))


def routes(root):
    """The requests that the tables of routes have, as the page would write them."""
    calls = dict(re.findall(r'CALL\((\w+), +"([^"]+)"', (root / 'lib/core/call/calls.h').read_text()))
    for whom, name in ROUTES.items():
        text = (root / name).read_text()
        for method, prefix in re.findall(r'^ +{ "(\w+)", +"(/[^"]*)"', text, re.M):
            yield whom, f'{method} {prefix}' + ('KEY' if prefix.endswith('/') else '')
        for call in re.findall(r'^ +SIGNED_ROUTE\((\w+),', text, re.M):
            yield whom, f'POST {calls[call]}'
        if 'RPC_SERVICE_ROUTE(' in text:
            yield whom, 'GET /-/channel'
    yield 'the master', 'GET /'  # the listing is the value without a name


def told_routes(page):
    for whom in ROUTES:
        section = page.section(f'REQUESTS TO {whom.upper()}')
        yield from ((whom, title) for title in section.parts())
        section = page.section('REQUESTS BETWEEN THE DAEMONS').part(f'To {whom}')
        yield from ((whom, entry) for entry in section.entries())


def headers(text):
    """What requests have and answers get. Some names are in constants or tables."""
    asked = set(re.findall(r'http_request_header\(\s*\w+, "([\w-]+)"', text))
    asked |= set(re.findall(r'strcasecmp\(name, "([\w-]+)"', text))
    asked |= set(re.findall(r'{ "([\w-]+)", +(?:true|false), +add_\w+ *}', text))
    asked |= {'Dkv-Meta-NAME'} if '"Dkv-Meta-"' in text else set()
    stored = set(re.findall(r'"([\w-]+)"', re.search(r'stored_headers\[\] = {([^}]*)}', text)[1]))
    asked |= stored
    asked |= {'Dkv-Signature'} if 'SIGNATURE_HEADER' in text else set()
    given = set(re.findall(r'http_request_add_header\(\s*[\w>-]+, "([\w-]+)"', text))
    for lines in re.findall(r'"((?:\\r\\n)?[A-Z][\w-]+: [^"]*)"', text):
        if '\\r' in lines or lines.endswith(': '):  # they are sent as they stand there
            given |= set(re.findall(r'([A-Z][\w-]+): ', lines))
    given |= stored | {'Dkv-Meta-NAME'}
    return asked, given


def names(entries):
    """The names that a list of entries is about: "a, b=N" is about a and b."""
    return {re.sub(r'=.*', '', one) for entry in entries for one in entry.split(', ')}


def statuses(root, text):
    table = re.findall(r'{ E\w+, +(\d{3}),', (root / 'lib/http/status.c').read_text())
    internal = re.findall(r'internal = { EIO, (\d{3}),', (root / 'lib/http/status.c').read_text())
    sent = re.findall(r'http_request_reply\w*\(\s*[^;]*?\b([2-5]\d\d)\b', text)
    sent += re.findall(r'(?:partial|created) \? (\d{3}) : (\d{3})', text)
    flat = {n for one in sent for n in ([one] if isinstance(one, str) else one)}
    return (set(table) | set(internal) | flat) - NOT_OVER_HTTP


def members(root):
    text = source(root, ANSWERS)
    return set(re.findall(r'json_add(?:_\w+)?\(\s*\w+, "(\w+)"', text))


def told_members(page):
    for section in 'REQUESTS TO THE MASTER', 'REQUESTS TO A VOLUME':
        for title in 'GET /', 'GET /-/where/KEY', 'GET /-/health':
            yield from names(page.section(section).part(title).entries())


def differences(what, there, told):
    yield from (f'{PAGE}: nothing about {what} {one}' for one in sorted(there - told))
    yield from (f'{PAGE}: {what} {one}: there is no such' for one in sorted(told - there))


def complaints(root):
    page, text = pages.Page(root / PAGE), source(root, HTTP)
    asked, given = headers(text)
    parameters = set(re.findall(
        r'(?:http_request_parameter|get_key_parameter|get_flag)\(\s*request, "(\w+)"', text))
    told = set(told_members(page))
    about_keys = names(page.section('REQUESTS TO THE MASTER').part('GET /KEY').entries())

    yield from differences('request', set(map(' to '.join, map(reversed, routes(root)))),
                           set(map(' to '.join, map(reversed, told_routes(page)))))
    yield from differences('the header of requests', asked,
                           names(page.section('HEADERS').part('Of requests').entries()))
    yield from differences('the header of answers', given,
                           names(page.section('HEADERS').part('Of answers').entries()))
    yield from differences('status', statuses(root, text),
                           names(page.section('STATUS').entries()))
    yield from differences('the member or parameter', members(root) | parameters, told | about_keys)
    for name, constant, wording in LIMITS:
        value = re.search(constant, (root / name).read_text())[1]
        if not re.search(wording.format(value), page.source, re.M):
            yield f'{PAGE}: nothing like "{wording.format(value)}", which {name} says'


found = list(complaints(pathlib.Path(sys.argv[1])))
print('\n'.join(found))
sys.exit(bool(found))
