# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests that a strict server takes, and those that it refuses: data for the tests of the protocol. A
case is a name, the statuses that may answer it, and the message.

In a message a new line stands for CR LF, ␊ for a bare LF, and every other character for the byte of its
number. @new is the target of a PUT of a new key, @post of a POST, @old of a key that is there, @victim of
one that nothing may touch, and @host what the server calls itself. Who is asked puts in what it takes: a
volume wants tickets.

TAKEN: the next request on the connection is answered, too, unless the answer says that it closes; what was
stored, if anything, is `hello`. REFUSED: there is one answer, the connection is closed behind it, nothing
has changed, and what follows on the connection is not looked at. The status of a bad message is 400 unless
RFC 9110 has a better one; where the RFCs leave a choice, both stand here.

What parsers that only take messages apart let through, and is refused here:

    a folded line                           RFC 9112 5.2: refused or unfolded; to drop it is neither
    no Host, two, or one that is no host    RFC 9112 3.2: 400
    a line that ends in a bare LF           RFC 9112 2.2 lets it be taken, 7.1 does not: others may not see it
    codings before chunked                  RFC 9112 6.1: 501, as nobody decodes them here
    codings with HTTP/1.0                   RFC 9112 6.1: such framing is faulty
    the same length twice                   RFC 9112 6.3: may be refused
    a PUT or POST without a length          RFC 9110 15.5.12: 411; an empty value says so
    no version, as HTTP/0.9                 RFC 9112 3: there is always one
    a fragment in the target                RFC 9112 3.2: no form has one
    methods of other protocols, CONNECT     RFC 9110 9.1: 501
    a body with GET, HEAD or DELETE         RFC 9110 9.3.1: may be refused
    data behind an upgrade                  RFC 9110 7.8: an upgrade may be ignored, then it is a request"""

READ = (200, 307)
STORED = (201,)
BAD = (400,)
CODING = (400, 501)  # a transfer coding that nobody knows
VERSION = (400, 505)
LARGE = (400, 413)

GET = 'GET @old HTTP/1.1\nHost: dkv\n'
PUT = 'PUT @new HTTP/1.1\nHost: dkv\n'
PUT_5 = PUT + 'Content-Length: 5\n'
CHUNKED = PUT + 'Transfer-Encoding: chunked\n\n'
END = '0\n\n'


def request_lines():
    """A line, with a Host behind it."""
    def case(name, statuses, line):
        return name, statuses, line + '\nHost: dkv\n\n'

    taken = [
        ('a GET', READ, GET + '\n'),
        ('a HEAD has no body', (200,), 'HEAD @old HTTP/1.1\nHost: dkv\n\n'),
        ('OPTIONS of a key', (204,), 'OPTIONS @old HTTP/1.1\nHost: dkv\n\n'),
        ('OPTIONS of the server', (200, 204), 'OPTIONS * HTTP/1.1\nHost: dkv\n\n'),
        ('an empty line before', READ, '\n' + GET + '\n'),
        ('HTTP/1.0', READ, 'GET @old HTTP/1.0\nHost: dkv\n\n'),
        ('HTTP/1.0 without Host', READ, 'GET @old HTTP/1.0\n\n'),
        ('HTTP/1.0 that stays', READ, 'GET @old HTTP/1.0\nConnection: keep-alive\n\n'),
        ('absolute form', READ, 'GET http://@host@old HTTP/1.1\nHost: @host\n\n'),
        ('absolute form, another Host', READ, 'GET http://@host@old HTTP/1.1\nHost: other\n\n'),
        ('absolute form, upper case', READ, 'GET HTTP://@host@old HTTP/1.1\nHost: @host\n\n'),
        ('absolute form of a PUT', STORED,
         'PUT http://@host@new HTTP/1.1\nHost: @host\nContent-Length: 5\n\nhello'),
        ('HTTP/1.2', READ + (505,), 'GET @old HTTP/1.2\nHost: dkv\n\n'),
        ('two empty lines before', READ + BAD, '\n\n' + GET + '\n'),
        ('absolute form without a path', (200, 307, 400, 404),
         'GET http://@host?limit=1 HTTP/1.1\nHost: @host\n\n'),
        ('quotes and a bar in a query', READ + (400, 403), 'GET @old?a="b"|c HTTP/1.1\nHost: dkv\n\n'),
        ('what no URI has in the target', (307, 400, 404), 'GET /"a"|<b>{c}^`\\ HTTP/1.1\nHost: dkv\n\n'),
        ('bytes above ASCII in the target', (307, 400, 404), 'GET /d\xc3\xbc\xff HTTP/1.1\nHost: dkv\n\n'),
        ('a query with a question mark', READ + (400, 403), 'GET @old?a?b HTTP/1.1\nHost: dkv\n\n'),
    ] + [case(f'a method that nobody knows: {method}', (405, 501), f'{method} @old HTTP/1.1')
         for method in ('BREW', 'get', 'MKCOLA', 'ANNOUNCE', 'M-SEARCH', 'PURGE', 'SOURCE', 'LINK', 'UNLINK', 'REPORT', 'SEARCH',
                        'TRACE', 'QUERY')
         ] + [
        ('PATCH with a body', (405, 501), 'PATCH @old HTTP/1.1\nHost: dkv\nContent-Length: 5\n\nhello'),
    ]
    refused = [case(*one) for one in (
        ('no version', VERSION, 'GET @old'),
        ('no version, a blank', VERSION, 'GET @old '),
        ('HTTP/2.0', (505,), 'GET @old HTTP/2.0'),
        ('the preface of HTTP/2', VERSION, 'PRI * HTTP/2.0'),
        ('HTTP/9.9', (505,), 'GET @old HTTP/9.9'),
        ('HTTP/0.9', VERSION, 'GET @old HTTP/0.9'),
        ('http in lower case', BAD, 'GET @old http/1.1'),
        ('a version without a minor one', VERSION, 'GET @old HTTP/1'),
        ('a version without a point', VERSION, 'GET @old HTTP/11'),
        ('a version with two digits', VERSION, 'GET @old HTTP/1.10'),
        ('a version with a zero', VERSION, 'GET @old HTTP/01.1'),
        ('a version with a letter behind', VERSION, 'GET @old HTTP/1.1x'),
        ('ICE', BAD, 'GET @old ICE/1.0'),
        ('RTSP', BAD, 'PUT @new RTSP/1.0'),
        ('IHTTP', BAD, 'GET @old IHTTP/1.0'),
        ('two blanks before the target', BAD, 'GET  @old HTTP/1.1'),
        ('two blanks behind the target', BAD, 'GET @old  HTTP/1.1'),
        ('a tab instead of a blank', BAD, 'GET\t@old HTTP/1.1'),
        ('a tab behind the target', BAD, 'GET @old\tHTTP/1.1'),
        ('a blank behind the version', BAD, 'GET @old HTTP/1.1 '),
        ('a blank before the method', BAD, ' GET @old HTTP/1.1'),
        ('a CR in the line', BAD, 'GET @old\r HTTP/1.1'),
        ('a CR behind the version', BAD, 'GET @old HTTP/1.1\r'),
        ('a bare LF', BAD, 'GET @old HTTP/1.1␊X: y'),
        ('a NUL in the method', BAD, 'G\0T @old HTTP/1.1'),
        ('a method that is no token', BAD, 'G(T @old HTTP/1.1'),
        ('no method', BAD, ' @old HTTP/1.1'),
        ('words before the method', BAD, 'Extra lineGET @old HTTP/1.1'),
        ('no target', BAD, 'GET HTTP/1.1'),
        ('a blank in the target', BAD, 'GET /a b HTTP/1.1'),
        ('a NUL in the target', BAD, 'GET @old\0 HTTP/1.1'),
        ('a NUL behind the name of the victim', BAD, 'DELETE @victim\0.tmp HTTP/1.1'),
        ('a control character in the target', BAD, 'GET @old\x01 HTTP/1.1'),
        ('a DEL in the target', BAD, 'GET @old\x7f HTTP/1.1'),
        ('a target without a slash', BAD, 'GET old HTTP/1.1'),
        ('a fragment in the target', BAD, 'GET @old#part HTTP/1.1'),
        ('a star with GET', BAD, 'GET * HTTP/1.1'),
        ('another scheme', BAD, 'GET ftp://dkv@old HTTP/1.1'),
        ('absolute form without a host', BAD, 'GET http://@old HTTP/1.1'),
        ('absolute form with a user', BAD, 'GET http://me@dkv@old HTTP/1.1'),
        ('absolute form with a bad host', BAD, 'GET http://d<v@old HTTP/1.1'),
        ('authority form', (400, 405, 501), 'CONNECT dkv:80 HTTP/1.1'),
        ('authority form with GET', BAD, 'GET dkv:80 HTTP/1.1'),
        ('a request line over the limit', (414,), 'GET /' + 20000 * 'k' + ' HTTP/1.1'),
        ('a method over any limit', (400, 414, 431, 501), 20000 * 'M' + ' @old HTTP/1.1'),
    )]
    return taken, refused


def headers():
    """Lines of a GET, unless it is about what a write would do."""
    taken = [(name, READ, GET + lines + '\n\n') for name, lines in (
        ('names in any case', 'aCCept: */*'),
        ('a tab behind the colon', 'Accept:\t*/*'),
        ('nothing behind the colon', 'Accept:*/*'),
        ('blanks around a value', 'Accept: \t */* \t '),
        ('an empty value', 'X-Empty:'),
        ('a value of blanks', 'X-Empty:  \t '),
        ('a tab in a value', 'X-Tab: a\tb'),
        ('all that a name may have', "X!#$%&'*+-.^_`|~9: y"),
        ('bytes above ASCII in a value', 'X-Name: D\xfcsseldorf \xff'),
        ('the same name twice', 'Accept: a\nAccept: b'),
        ('an upgrade is not heard', 'Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: x'),
        ('a list with gaps in Connection', 'Connection: , keep-alive, ,x'),
        ('250 small headers', '\n'.join(f'X-{n}: {n}' for n in range(250))),
        ('one large header', 'X-Large: ' + 12000 * 'x'),
    )] + [
        (f'Host: {host}', READ, f'GET @old HTTP/1.1\nHost: {host}\n\n') for host in (
            'dkv:3000', 'dkv:', '127.0.0.1:3000', '[::1]:3000', '[::1]', 'a_b', '0.0.0.0=5000', 'dkv%41')
    ] + [
        ('a PUT if there is none', STORED, PUT_5 + 'If-None-Match: *\n\nhello'),
        ('a POST', STORED, 'POST @post HTTP/1.1\nHost: dkv\nContent-Length: 5\n\nhello'),
    ]
    refused = [(name, BAD, GET + lines + '\n\n') for name, lines in (
        ('no colon', 'Accept'),
        ('no name', ': y'),
        ('a blank before the colon', 'Accept : */*'),
        ('a tab before the colon', 'Accept\t: */*'),
        ('a blank in a name', 'X Y: z'),
        ('an at sign in a name', 'Fo@: y'),
        ('brackets in a name', 'X-Invalid[]: y'),
        ('a control character in a name', 'X\x01Y: z'),
        ('a NUL in a name', 'X\0Y: z'),
        ('a byte above ASCII in a name', 'X-\xe9: y'),
        ('a CR in a name', 'Conn\rection: close'),
        ('a CR and more in a name', 'Connection\r\x1b5\xd5eep-Alive'),
        ('a fold', 'X-Folded: a\n b'),
        ('a fold with a tab', 'X-Folded: a\n\tb'),
        ('a fold of an empty value', 'X-Folded:\n b'),
        ('a fold that is empty', 'X-Folded: a\n \nX: y'),
        ('a fold before the colon', 'X-Folded\n : a'),
        ('a fold of Connection', 'Connection: keep-alive,\n close'),
        ('a fold of many lines', 'X-Key: -----BEGIN-----\n\tMIIF\n\tETAP\n\t-----END-----'),
        ('a CR in a value', 'X: a\rb'),
        ('a CR between headers', 'X: a\rContent-Length: 5'),
        ('a CR between headers, empty value', 'X:\rTransfer-Encoding: chunked'),
        ('a CR at the end of a value', 'X: a\r'),
        ('a CR before the end of the headers', 'X: y\n\rZ: z'),
        ('a bare LF between headers', 'X: a␊Transfer-Encoding: chunked'),
        ('a bare LF behind an empty value', 'X:␊Transfer-Encoding: chunked'),
        ('a bare LF and a length', 'X: a␊Content-Length: 23'),
        ('a NUL in a value', 'X: a\0b'),
        ('a BEL in a value', 'X: a\x07'),
        ('a form feed in a value', 'X: \f'),
        ('a DEL in a value', 'X: a\x7fb'),
        ('an escape in a value', 'X: \x1b[0m'),
    )] + [
        ('a blank before the first header', BAD, 'GET @old HTTP/1.1\n Host: dkv\n\n'),
        ('only bare LF', BAD, 'GET @old HTTP/1.1␊Host: dkv␊␊'),
        ('headers that end in a bare LF', BAD, GET + '␊'),
        ('no Host', BAD, 'GET @old HTTP/1.1\n\n'),
        ('no Host, but a length', BAD, 'PUT @new HTTP/1.1\nContent-Length: 5\n\nhello'),
        ('two Hosts', BAD, GET + 'Host: other\n\n'),
        ('the same Host twice', BAD, GET + 'Host: dkv\n\n'),
        ('two Hosts with HTTP/1.0', BAD, 'GET @old HTTP/1.0\nHost: a\nHost: b\n\n'),
        ('two Hosts with the absolute form', BAD, 'GET http://@host@old HTTP/1.1\nHost: a\nHost: b\n\n'),
    ] + [
        (f'Host: {host}'.rstrip(), BAD, f'GET @old HTTP/1.1\nHost: {host}\n\n') for host in (
            'a b', 'a/b', 'me@dkv', 'a, b', 'a:b', 'a:1:2', '[::1', '::1', '[::1]x', '[g::1]', 'a?b', 'a#b',
            'a\\b', '<a>', '"a"', 'a%4', 'a%zz', 'http://a', 'd\xf6v')
    ] + [
        ('one header over the limit', (431,), GET + 'X: ' + 20000 * 'x' + '\n\n'),
        ('many headers over the limit', (431,), GET + 250 * ('X: ' + 100 * 'x' + '\n') + '\n'),
        ('a name over the limit', (431,), GET + 20000 * 'x' + ': y\n\n'),
        ('a condition in a fold', BAD, PUT_5 + 'If-None-Match:\n *\n\nhello'),
        ('a condition in a fold, over the victim', BAD,
         'PUT @victim HTTP/1.1\nHost: dkv\nContent-Length: 4\nIf-None-Match:\n *\n\ndead'),
        ('a condition behind a CR, over the victim', BAD,
         'PUT @victim HTTP/1.1\nHost: dkv\nContent-Length: 4\nX: y\rIf-None-Match: *\n\ndead'),
        ('a condition behind a blank, over the victim', BAD,
         'PUT @victim HTTP/1.1\nHost: dkv\nContent-Length: 4\nIf-None-Match : *\n\ndead'),
        ('a condition in a fold of another header', BAD,
         'PUT @victim HTTP/1.1\nHost: dkv\nContent-Length: 4\nX: y\n If-None-Match: *\n\ndead'),
        ('If-Match in a fold', BAD, 'DELETE @victim HTTP/1.1\nHost: dkv\nIf-Match:\n "x"\n\n'),
        ('metadata with a NUL', BAD, PUT_5 + 'Dkv-Meta-X: a\0b\n\nhello'),
        ('metadata with a CR', BAD, PUT_5 + 'Dkv-Meta-X: a\rb\n\nhello'),
    ]
    return taken, refused


def lengths():
    """What says how long a body is; it is `hello`, and an attack behind it."""
    taken = [(name, STORED, PUT + lines + '\n\nhello') for name, lines in (
        ('Content-Length', 'Content-Length: 5'),
        ('Content-Length in any case', 'conTENT-Length: 5'),
        ('Content-Length with blanks around it', 'Content-Length: \t 5 \t '),
        ('Content-Length with zeros', 'Content-Length: 005'),
        ('Content-Length before another header', 'Content-Length: 5\nX: y'),
    )] + [
        ('Content-Length with HTTP/1.0', STORED, 'PUT @new HTTP/1.0\nContent-Length: 5\n\nhello'),
        ('a GET with a length of 0', READ, GET + 'Content-Length: 0\n\n'),
        ('a GET with a body', (400, 413), GET + 'Content-Length: 5\n\nhello'),
        ('a GET with chunks', (400, 413), GET + 'Transfer-Encoding: chunked\n\n5\nhello\n0\n\n'),
        ('a HEAD with a body', (400, 413), 'HEAD @old HTTP/1.1\nHost: dkv\nContent-Length: 5\n\nhello'),
        ('an attack as a body of GET', (400, 413), GET + 'Content-Length: 43\n\nDELETE /victim HTTP/1.1\nHost: dkv\nX: \n\n'),
    ]
    refused = [(name, BAD, PUT + lines + '\n\nhello') for name, lines in (
        ('Content-Length in a fold', 'Content-Length:\n 5'),
        ('Content-Length in a fold with a tab', 'Content-Length:\n\t5'),
        ('Content-Length with a fold behind', 'Content-Length: 0\n 5'),
        ('Content-Length in a fold of another header', 'X: y\n Content-Length: 5'),
        ('a blank before the colon of Content-Length', 'Content-Length : 5'),
        ('a tab before the colon of Content-Length', 'Content-Length\t: 5'),
        ('a blank before Content-Length', 'X: y\n Content-Length: 5'),
        ('a CR in Content-Length', 'Content\rLength: 5'),
        ('a CR behind Content-Length', 'Content-Length: 5\r'),
        ('a NUL in Content-Length', 'Content-Length: 5\0'),
        ('two lengths', 'Content-Length: 5\nContent-Length: 6'),
        ('two lengths, the other way', 'Content-Length: 0\nContent-Length: 5'),
        ('the same length twice', 'Content-Length: 5\nContent-Length: 5'),
        ('a list of the same lengths', 'Content-Length: 5, 5'),
        ('a list of lengths', 'Content-Length: 0, 5'),
        ('a list with a gap', 'Content-Length: ,5'),
        ('a plus', 'Content-Length: +5'),
        ('a minus', 'Content-Length: -5'),
        ('a minus and an overflow', 'Content-Length: -123456789123456789123456789'),
        ('a length in hex', 'Content-Length: 0x5'),
        ('a length that is no number', 'Content-Length: five'),
        ('a letter behind a length', 'Content-Length: 5x'),
        ('a blank in a length', 'Content-Length: 0 5'),
        ('a length with a point', 'Content-Length: 5.0'),
        ('a length in quotes', 'Content-Length: "5"'),
        ('a length with an underscore', 'Content-Length: 0_5'),
        ('an empty length', 'Content-Length:'),
        ('a length of blanks', 'Content-Length:   '),
        ('a vertical tab before a length', 'Content-Length: \v5'),
        ('a non-breaking blank before a length', 'Content-Length: \xa05'),
        ('a length and chunks', 'Content-Length: 5\nTransfer-Encoding: chunked'),
        ('chunks and a length', 'Transfer-Encoding: chunked\nContent-Length: 5'),
        ('a length and a coding that nobody knows', 'Content-Length: 5\nTransfer-Encoding: identity'),
        ('a length and an empty coding', 'Content-Length: 5\nTransfer-Encoding:'),
    )] + [
        ('a length over 64 bits', LARGE, PUT + 'Content-Length: 18446744073709551621\n\nhello'),
        ('a length over all bits', LARGE, PUT + 'Content-Length: 1' + 40 * '0' + '\n\nhello'),
        ('CL.TE', BAD, PUT + 'Content-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n'),
        ('TE.CL', BAD, PUT + 'Transfer-Encoding: chunked\nContent-Length: 4\n\n5\nhello\n0\n\n'),
        ('a PUT without a length', (411,), PUT + '\n'),
        ('a POST without a length', (411,), 'POST @post HTTP/1.1\nHost: dkv\n\n'),
        ('a PUT of HTTP/1.0 without a length', (411,), 'PUT @new HTTP/1.0\n\n'),
        ('a GET with two lengths', BAD, GET + 'Content-Length: 0\nContent-Length: 5\n\nhello'),
        ('a DELETE with two lengths', BAD,
         'DELETE @victim HTTP/1.1\nHost: dkv\nContent-Length: 0\nContent-Length: 5\n\nhello'),
    ]
    return taken, refused


def codings():
    """What says that there are chunks; behind it they are those of `hello`."""
    taken = [(name, STORED, PUT + lines + '\n\n5\nhello\n0\n\n') for name, lines in (
        ('Transfer-Encoding', 'Transfer-Encoding: chunked'),
        ('Transfer-Encoding in any case', 'transfer-ENCODING: ChunKed'),
        ('Transfer-Encoding with blanks around it', 'Transfer-Encoding: \tchunked \t'),
    )] + [
        ('a POST with chunks', STORED,
         'POST @post HTTP/1.1\nHost: dkv\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n'),
    ]
    refused = [(name, BAD, PUT + lines + '\n\n5\nhello\n0\n\n') for name, lines in (
        ('a blank before the colon of Transfer-Encoding', 'Transfer-Encoding : chunked'),
        ('Transfer-Encoding in a fold', 'Transfer-Encoding:\n chunked'),
        ('Transfer-Encoding with a fold behind', 'Transfer-Encoding: chunked\n  abc'),
        ('Transfer-Encoding in a fold of another header', 'X: y\n Transfer-Encoding: chunked'),
        ('a vertical tab before a coding', 'Transfer-Encoding: \vchunked'),
        ('a NUL behind a coding', 'Transfer-Encoding: chunked\0'),
        ('a CR behind a coding', 'Transfer-Encoding: chunked\rX: y'),
    )] + [(name, CODING, PUT + lines + '\n\n5\nhello\n0\n\n') for name, lines in (
        ('chunked twice', 'Transfer-Encoding: chunked, chunked'),
        ('chunked in two lines', 'Transfer-Encoding: chunked\nTransfer-Encoding: chunked'),
        ('TE.TE', 'Transfer-Encoding: chunked\nTransfer-Encoding: cow'),
        ('TE.TE, the other way', 'Transfer-Encoding: cow\nTransfer-Encoding: chunked'),
        ('TE.TE with identity', 'Transfer-Encoding: chunked\nTransfer-Encoding: identity'),
        ('a coding behind chunked', 'Transfer-Encoding: chunked, deflate'),
        ('a coding before chunked', 'Transfer-Encoding: gzip, chunked'),
        ('identity', 'Transfer-Encoding: identity'),
        ('a coding that nobody knows', 'Transfer-Encoding: pigeons'),
        ('almost chunked', 'Transfer-Encoding: xchunked'),
        ('chunked and more', 'Transfer-Encoding: chunkedchunked'),
        ('chunked with a parameter', 'Transfer-Encoding: chunked;q=1'),
        ('chunked in quotes', 'Transfer-Encoding: "chunked"'),
        ('an empty coding', 'Transfer-Encoding:'),
        ('three empty codings and a length', 'Transfer-Encoding:\nTransfer-Encoding:\nContent-Length: 5'),
        ('a gap in the list of codings', 'Transfer-Encoding: ,chunked,'),
        ('codings apart by a blank', 'Transfer-Encoding: x chunked'),
    )] + [
        ('chunks with HTTP/1.0', BAD, 'PUT @new HTTP/1.0\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n'),
        ('chunks with a GET of HTTP/1.0', BAD, 'GET @old HTTP/1.0\nTransfer-Encoding: chunked\n\n0\n\n'),
        ('a GET with a coding that nobody knows', CODING, GET + 'Transfer-Encoding: pigeons\n\n'),
        ('a DELETE with a length and chunks', BAD,
         'DELETE @victim HTTP/1.1\nHost: dkv\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n'),
    ]
    return taken, refused


def chunks():
    taken = [(name, STORED, CHUNKED + body) for name, body in (
        ('one chunk', '5\nhello\n' + END),
        ('five chunks', '1\nh\n1\ne\n1\nl\n1\nl\n1\no\n' + END),
        ('zeros before a size', '0005\nhello\n000\n\n'),
        ('an extension', '5;name\nhello\n' + END),
        ('extensions with values', '2;name=value;another;third=3\nhe\n3\nllo\n0;last\n\n'),
        ('an extension in quotes', '5;name="a \\"b\\"; c";d\nhello\n' + END),
        ('trailers', '5\nhello\n0\nX-Sum: 1\nY: z\n\n'),
        ('a trailer that is empty', '5\nhello\n0\nX:\n\n'),
        ('a trailer with a length', '5\nhello\n0\nX-Length: 99\n\n'),
    )] + [
        ('sizes in lower case', STORED, CHUNKED + '00005\nhello\n' + END),
        ('trailers do not set what headers do', (201, 400),
         CHUNKED + '5\nhello\n0\nContent-Length: 99\nTransfer-Encoding: cow\n\n'),
    ]
    refused = [(name, BAD, CHUNKED + body) for name, body in (
        ('no size', '\nhello\n' + END),
        ('a size that is no number', 'x\nhello\n' + END),
        ('a letter behind a size', '5x\nhello\n' + END),
        ('a size with a plus', '+5\nhello\n' + END),
        ('a size with a minus', '-5\nhello\n' + END),
        ('a size with 0x', '0x5\nhello\n' + END),
        ('a blank before a size', ' 5\nhello\n' + END),
        ('a blank behind a size', '5 \nhello\n' + END),
        ('a word behind a size', '2 erfrferferf\nhe\n' + END),
        ('a tab behind a size', '5\t\nhello\n' + END),
        ('an underscore in a size', '0_5\nhello\n' + END),
        ('an extension without a size', ';name\nhello\n' + END),
        ('an extension without a name', '5;\nhello\n' + END),
        ('an extension with a CR', '5;na\rme\nhello\n' + END),
        ('an extension with a bare LF', '5;name␊hello\n' + END),
        ('an extension with a NUL', '5;na\0me\nhello\n' + END),
        ('an extension whose quotes do not end', '5;name="value; x\nhello\n' + END),
        ('a bare LF behind a size', '5␊hello\n' + END),
        ('a bare LF and blanks behind a size', '5 ␊  \nhello\n' + END),
        ('a bare CR behind a size', '5\rhello\n' + END),
        ('two CRs behind a size', '5\r\nhello\n'.replace('\n', '\r;AB\n', 1) + END),
        ('a bare LF behind data', '5\nhello␊' + END),
        ('a bare CR behind data', '5\nhello\r' + END),
        ('nothing behind data', '5\nhello' + END),
        ('two bytes too many', '5\nhelloXX\n' + END),
        ('a byte too few', '5\nhell\n' + END),
        ('no last chunk', '5\nhello\n\n\n'),
        ('a bare LF behind the last size', '5\nhello\n0␊\n'),
        ('a bare LF at the end', '5\nhello\n0\n␊'),
        ('a trailer without a colon', '5\nhello\n0\nX\n\n'),
        ('a trailer with a fold', '5\nhello\n0\nX: y\n z\n\n'),
        ('a trailer with a blank before the colon', '5\nhello\n0\nX : y\n\n'),
        ('a trailer with a bare LF', '5\nhello\n0\nX: y␊Z: z\n\n'),
        ('a trailer with a CR', '5\nhello\n0\nX: y\rz\n\n'),
        ('a trailer with a NUL', '5\nhello\n0\nX: y\0\n\n'),
    )] + [
        ('a size over 64 bits', LARGE, CHUNKED + '10000000000000005\nhello\n' + END),
        ('a size of 64 bits', LARGE, CHUNKED + 'ffffffffffffffff\nhello\n' + END),
        ('a size with very many zeros', (400, 413, 431), CHUNKED + 20000 * '0' + '5\nhello\n' + END),
        ('a very long extension', (400, 413, 431), CHUNKED + '5;' + 20000 * 'x' + '\nhello\n' + END),
        ('very many trailers', (400, 413, 431), CHUNKED + '5\nhello\n0\n' + 2000 * 'X: 0123456789\n' + '\n'),
        ('a very long trailer', (400, 413, 431), CHUNKED + '5\nhello\n0\nX: ' + 20000 * 'x' + '\n\n'),
    ]
    return taken, refused


def manners():
    """What clients expect, and when connections end."""
    taken = [
        ('a small PUT that expects 100 Continue', STORED, PUT_5 + 'Expect: 100-continue\n\nhello'),
        ('Expect in any case', STORED, PUT_5 + 'Expect: 100-Continue\n\nhello'),
        ('an expectation of a GET', READ, GET + 'Expect: 100-continue\n\n'),
        ('an expectation of HTTP/1.0', STORED,
         'PUT @new HTTP/1.0\nContent-Length: 5\nExpect: 100-continue\n\nhello'),
    ]
    refused = [(name, (417,), PUT_5 + lines + '\n\n') for name, lines in (
        ('an expectation that nobody knows', 'Expect: 200-ok'),
        ('an expectation with more behind it', 'Expect: 100-continue, 200-ok'),
        ('an expectation with a parameter', 'Expect: 100-continue;now'),
    )]
    return taken, refused


# What follows a request that is answered well, and is not looked at.
LAST = [
    ('close', READ, GET + 'Connection: close\n\n'),
    ('close in any case', READ, GET + 'connection: Close\n\n'),
    ('close in a list', READ, GET + 'Connection: keep-alive, close, x\n\n'),
    ('close in a second line', READ, GET + 'Connection: keep-alive\nConnection: close\n\n'),
    ('close behind a PUT', STORED, PUT_5 + 'Connection: close\n\nhello'),
    ('close behind chunks', STORED, PUT + 'Connection: close\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n'),
    ('HTTP/1.0 closes', READ, 'GET @old HTTP/1.0\n\n'),
    ('HTTP/1.0 closes behind a PUT', STORED, 'PUT @new HTTP/1.0\nContent-Length: 5\n\nhello'),
    ('close of HTTP/1.0', READ, 'GET @old HTTP/1.0\nConnection: close, keep-alive\n\n'),
]

GROUPS = [request_lines(), headers(), lengths(), codings(), chunks(), manners()]
TAKEN = [case for taken, _ in GROUPS for case in taken]
REFUSED = [case for _, refused in GROUPS for case in refused]


def encode(text, targets):
    """The bytes of a message; TARGETS says what stands for each @name."""
    for name, target in targets.items():
        text = text.replace(f'@{name}', target)
    return text.replace('\n', '\r\n').replace('␊', '\n').encode('latin-1')
