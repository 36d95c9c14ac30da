# SPDX-License-Identifier: LGPL-2.1-or-later
"""What two others say of HTTP/1.1, as cases of our own: the checks of h1spec, and the requests on which
llhttp 9.4 is tested, judged as it does without any leniency. Data for test_conformance.py.

A case is a name, a verdict, and a message in the form of messages.py. What is not the point of a case is
right in it: there is a Host, a PUT has a length. A verdict is

    takes     it is answered, and so is the request behind it
    last      it is answered, and nothing behind it is looked at
    refuses   it is an error, and nothing behind it is looked at
    waits     nothing is said, since something is missing
    ends      its client has closed its side: it is answered if it is complete, and has no effect if not

A message of several requests has the verdict of the last one. ‖ is a moment in which nothing is sent.

DIFFERENCES says where we judge otherwise than llhttp, which takes messages apart and leaves it to others
whether they make sense, and why."""

from messages import CHUNKED, END, GET, PUT, PUT_5

H1SPEC = [(f'{text!r} is waited for', 'waits', text) for text in (
    'G', 'GET ', 'GET @old', 'GET @old ', 'GET @old HTTP', 'GET @old HTTP/1.1', 'GET @old HTTP/1.1\r',
    'GET @old HTTP/1.1\n', 'GET @old HTTP/1.1\nHo', 'GET @old HTTP/1.1\nHost:', 'GET @old HTTP/1.1\nHost: ',
    'GET @old HTTP/1.1\nHost: dkv', 'GET @old HTTP/1.1\nHost: dkv\r', 'GET @old HTTP/1.1\nHost: dkv\n',
    'GET @old HTTP/1.1\nHost: dkv\n\r')] + [
    ('a GET', 'takes', GET + '\n'),
    ('names in any case, a tab, an empty value', 'takes', 'GET @old HTTP/1.1\nhOsT:\tdkv\nnothing:\n\n'),
    ('a value of a blank', 'takes', GET + 'X-Nothing: \n\n'),
    ('a GET that expects 100 Continue', 'takes', GET + 'Expect: 100-continue\n\n'),
    ('a POST with a length', 'takes', 'POST @post HTTP/1.1\nHost: dkv\nContent-Length: 5\n\nhello'),
    ('a POST in chunks', 'takes', 'POST @post HTTP/1.1\nHost: dkv\nTransfer-Encoding: chunked\n\n5\nhello\n' + END),
    ('no version', 'refuses', 'GET @old \n\n'),
    ('another version', 'refuses', 'GET @old HTTP/9.9\nHost: dkv\n\n'),
    ('words before the method', 'refuses', 'One more GET @old HTTP/1.1\nHost: dkv\n\n'),
    ('no Host', 'refuses', 'GET @old HTTP/1.1\nContent-Length: 5\n\n'),
    ('two Hosts', 'refuses', GET + 'Host: vkd\n\n'),
    ('brackets in a name', 'refuses', GET + 'X-Not[]: y\n\n'),
    ('a control character in a value', 'refuses', GET + 'X: y\x07\n\n'),
    ('a length below zero', 'refuses', GET + 'Content-Length: -1000\n\n'),
    ('a length far below zero', 'refuses', GET + 'Content-Length: -' + 27 * '9' + '\n\n'),
    ('a length of letters', 'refuses', GET + 'Content-Length: five\n\n'),
    ('a CR before a name', 'refuses', GET + '\rX: y\n\n'),
    ('a length and chunks', 'refuses', GET + 'transfer-ENCODING: chunked\ncontent-LENGTH: 5\n\n'),
]

UPGRADE = 'Connection: upgrade\nUpgrade: websocket\n'
POST = 'POST @post HTTP/1.1\nHost: dkv\n'
HELLO = '5\nhello\n'

CONNECTION = [
    ('keep-alive', 'takes', PUT_5 + 'Connection: keep-alive\n\nhello'),
    ('keep-alive, twice', 'takes', 2 * (PUT_5 + 'Connection: keep-alive\n\nhello')),
    ('HTTP/1.0', 'last', 'PUT @new HTTP/1.0\nContent-Length: 5\n\nhello' + PUT_5 + '\nhello'),
    ('HTTP/1.0, then chunks', 'last', 'PUT @new HTTP/1.0\nContent-Length: 0\n\n' + CHUNKED + HELLO + END),
    ('empty lines between two', 'takes', POST + 'Content-Length: 5\n\nhello\n\n' + GET + '\n'),
    ('a CR for a dash', 'refuses', GET + 'Connection: keep\ralive\n\n'),
    ('close', 'last', PUT_5 + 'Connection: close\n\nhello'),
    ('close and a tab', 'last', PUT_5 + 'Connection: close\t\n\nhello'),
    ('close, then another', 'last', PUT_5 + 'Connection: close\n\nhello\n\n' + GET + '\n'),
    ('close and a tab, then another', 'last', PUT_5 + 'Connection: close\t\n\nhello\n\n' + GET + '\n'),
    ('close, then another at once', 'last', POST + 'Content-Length: 5\nConnection: close\n\nhello' + GET + '\n'),
    ('close among others', 'last', PUT_5 + 'Connection: close, this, upgrade, that, keep-alive\n\nhello'),
    ('a list in a fold', 'refuses',
     GET + 'Connection: this,\n upgrade, ,keep-alive\nUpgrade: websocket\n\nSurprise!'),
    ('an upgrade in a list', 'takes', GET + 'Connection: keep-alive, upgrade\nUpgrade: websocket\n\n'),
    ('a list in a fold behind a blank', 'refuses',
     GET + 'Connection: keep-alive, \n upgrade\nUpgrade: websocket\n\n'),
    ('a blank before the colon', 'refuses', PUT_5 + 'Connection : upgrade\nUpgrade: websocket\n\nhello'),
    ('a blank before the colon, and more data', 'refuses', PUT_5 + 'Connection : upgrade\n\nhello there'),
    ('an upgrade of a PUT', 'takes', PUT_5 + UPGRADE + '\nhello'),
    ('an upgrade of a PUT, and more data', 'takes', PUT_5 + UPGRADE + '\nhello there'),
    ('an upgrade of a GET, and more data', 'takes', GET + UPGRADE + '\nSurprise!'),
    ('an upgrade to HTTP/2, and more data', 'takes',
     POST + 'Connection: Upgrade\nUpgrade: HTTP/2.0\nContent-Length: 5\n\nhello there'),
]

LENGTH = [
    ('zeros before', 'takes', PUT + 'Content-Length: 005\n\nhello'),
    ('a header behind', 'takes', PUT + 'Content-Length: 005\nX: y\n\nhello'),
    ('over 64 bits', 'refuses', PUT + 'Content-Length: 1' + 21 * '0' + '\n\nhello'),
    ('two', 'refuses', PUT + 'Content-Length: 5\nContent-Length: 6\n\nhello'),
    ('and identity', 'refuses', PUT_5 + 'Transfer-Encoding: identity\n\nhello'),
    ('a blank before the colon', 'refuses', PUT + 'Content-Length : 5\n' + UPGRADE + '\nhello'),
    ('a blank before the colon, and more data', 'refuses', PUT + UPGRADE + 'Content-Length : 5\n\nhello there'),
    ('and chunks', 'refuses', PUT_5 + 'Transfer-Encoding: chunked\n\n' + HELLO + END),
    ('and identity, the other way', 'refuses', PUT + 'Transfer-Encoding: identity\nContent-Length: 5\n\nhello'),
    ('of a GET, in any case', 'takes', 'GET @old HTTP/1.0\ncoNTENT-lengTH: 5\n\nhello'),
    ('blanks around', 'takes', PUT + 'Content-Length:  5 \n\nhello'),
    ('tabs around', 'takes', PUT + 'Content-Length:\t5\t  \n\nhello'),
    ('a blank inside', 'refuses', PUT + 'Content-Length: 5 0\n\nhello'),
    ('a blank inside a longer one', 'refuses', PUT + 'Content-Length: 50 00\n\nhello'),
    ('empty', 'refuses', PUT + 'Content-Length:\n\nhello'),
    ('a CR for the dash', 'refuses', PUT + 'Content\rLength: 5\n\nhello'),
    ('another one behind it', 'takes', PUT_5 + '\nhello' + POST + 'Content-Length: 4\n\nmore'),
    ('no end of the headers', 'refuses', PUT_5 + '\rhello'),
]

FINISH = [
    ('a GET', 'ends', GET + '\n'),
    ('a PUT without its body', 'ends', PUT + 'Content-Length: 100\n'),
    ('half a name', 'ends', PUT + 'Content-Le'),
]

INVALID = [
    ('GET of ICE', 'refuses', 'GET @old ICE/1.0\nHost: dkv\n\n'),
    ('GET of something like HTTP', 'refuses', 'GET @old XHTTP/1.0\nHost: dkv\n\n'),
    ('PUT of RTSP', 'refuses', 'PUT @new RTSP/1.0\nHost: dkv\nContent-Length: 0\n\n'),
    ('ANNOUNCE of HTTP', 'refuses', 'ANNOUNCE @old HTTP/1.0\nHost: dkv\n\n'),
    ('a CR between headers', 'refuses', GET + 'X: y\rZ: z\n\n'),
    ('a LF between headers', 'refuses', PUT + 'X: y␊Transfer-Encoding: chunked\n\n' + HELLO + END),
    ('a CR and a letter behind the headers', 'refuses',
     GET + 'Connection: close\n\rXGET @old HTTP/1.1\nHost: dkv\n\n'),
    ('a CR and more behind the headers', 'refuses', GET + '\rX␊GET @old HTTP/1.1\nHost: dkv\n\n'),
    ('a CR behind an empty value', 'refuses', PUT + 'X:\rTransfer-Encoding: chunked\n\n' + HELLO + END),
    ('a LF behind an empty value', 'refuses', PUT + 'X:␊Transfer-Encoding: chunked\n\n' + HELLO + END),
    ('an at sign in a name', 'refuses', GET + 'Na@me: y\n\n'),
    ('a control character in a name', 'refuses', GET + 'Na\x01\tme: y\n\n'),
    ('no name', 'refuses', GET + ': y\n\n'),
    ('almost a method', 'refuses', 'GETTER @old HTTP/1.1\nHost: dkv\n\n'),
    ('a name and its colon in a fold', 'refuses', GET + 'Name\n : y\n\n'),
    ('a CR and an escape in Connection', 'refuses', GET + 'Connection\r\x1b\x35\xd5close: y\n\n'),
    ('a CR and an escape in a name', 'refuses', GET + 'X-Name\r\x1b\x35\xd5close: y\n\n'),
    ('a LF before a length', 'refuses', GET + 'X: y␊Content-Length: 23\n\n' + GET + '\n'),
    ('version 5.6', 'refuses', 'GET @old HTTP/5.6\nHost: dkv\n\n'),
    ('a blank before the first header', 'refuses', 'GET @old HTTP/1.1\n Host: dkv\n\n'),
    ('no line ends in CR LF', 'refuses', (CHUNKED + '1;a=b\nh\n4;c="d"\nello\n0\nX: y\n\n').replace('\n', '␊')),
    ('most lines end in LF', 'refuses', (CHUNKED + HELLO).replace('\n', '␊') + END),
    ('a length in a fold', 'refuses', PUT + 'X: y\n Content-Length: 5\n\nhello'),
    ('a length in a fold, and a request', 'refuses', GET + 'X: y\n\tContent-Length: 38\n\n' + GET + '\n'),
]

LENIENT = [
    ('a form feed between words', 'refuses', GET + 'X: a\fb\n\n'),
    ('a form feed between words, and a PUT', 'refuses', PUT_5 + 'X: a\fb\n\nhello'),
    ('a LF behind an empty value', 'refuses', POST + 'X:␊Transfer-Encoding: chunked\n\n' + HELLO + END),
    ('a CR behind an empty value', 'refuses', POST + 'X:\rTransfer-Encoding: chunked\n\n' + HELLO + END),
    ('a blank before the first header', 'refuses', 'GET @old HTTP/1.1\n X: y\nHost: dkv\n\n'),
    ('a value of a form feed', 'refuses', GET + 'X: \f\n\n'),
    ('a value of a form feed in the second request', 'refuses', GET + 'X: y\n\n\n' + GET + 'X: \f\n\n'),
    ('a value of a form feed, and an empty line', 'refuses', GET + 'X: \f\n\n\n'),
    ('version 5.6', 'refuses', 'PUT @new HTTP/5.6\nHost: dkv\nContent-Length: 5\n\nhello'),
]

METHOD = [
    ('REPORT', 'takes', 'REPORT @old HTTP/1.1\nHost: dkv\n\n'),
    ('CONNECT, and data', 'last', 'CONNECT example.org:443 HTTP/1.0\nUser-Agent: x\n\nanything\nand more'),
    ('CONNECT in capitals', 'last', 'CONNECT EXAMPLE.ORG:443 HTTP/1.0\nUser-Agent: x\n\n'),
    ('CONNECT with a length', 'last', 'CONNECT example.net:443 HTTP/1.0\nUser-Agent: x\nContent-Length: 5\n\nhello'),
    ('M-SEARCH of the server', 'takes', 'M-SEARCH * HTTP/1.1\nhost: 239.255.255.250:1900\nST: "all"\n\n'),
    ('PATCH', 'takes', 'PATCH @old HTTP/1.1\nHost: dkv\nIf-Match: "x"\nContent-Length: 5\n\nhello'),
    ('PURGE', 'takes', 'PURGE @old HTTP/1.1\nHost: dkv\n\n'),
    ('SEARCH', 'takes', 'SEARCH / HTTP/1.1\nHost: dkv\n\n'),
    ('LINK', 'takes',
     'LINK @old HTTP/1.1\nHost: dkv\nLink: <http://dkv/a>; rel="x"\nLink: <http://dkv/b>; rel="x"\n\n'),
    ('UNLINK', 'takes', 'UNLINK @old HTTP/1.1\nHost: dkv\nLink: <http://dkv/b>; rel="x"\n\n'),
    ('SOURCE', 'takes', 'SOURCE @old HTTP/1.1\nHost: dkv\n\n'),
    ('SOURCE of ICE', 'takes', 'SOURCE @old ICE/1.0\nHost: dkv\n\n'),
    ('OPTIONS of RTSP', 'takes', 'OPTIONS @old RTSP/1.0\nHost: dkv\n\n'),
    ('ANNOUNCE of RTSP', 'takes', 'ANNOUNCE @old RTSP/1.0\nHost: dkv\n\n'),
    ('PRI of HTTP/2', 'refuses', 'PRI * HTTP/2.0\n\nSM\n\n'),
    ('QUERY', 'takes', 'QUERY @old HTTP/1.1\nHost: dkv\nContent-Type: x/y\nContent-Length: 5\n\nhello'),
]

# Who only takes messages apart can stop at these places. We are stopped there by what has not come yet.
PAUSES = [(f'before {what}', 'takes', text) for what, text in (
    ('the message', '‖' + POST + 'Content-Length: 5\n\nhello'),
    ('the next message', POST + 'Content-Length: 5\n\nhello‖'),
    ('the blank behind the method', 'POST‖ @post HTTP/1.1\nHost: dkv\nContent-Length: 5\n\nhello'),
    ('the blank behind the target', 'POST @post‖ HTTP/1.1\nHost: dkv\nContent-Length: 5\n\nhello'),
    ('the slash in the version', 'POST @post HTTP‖/1.1\nHost: dkv\nContent-Length: 5\n\nhello'),
    ('the end of the first line', 'POST @post HTTP/1.1‖\nHost: dkv\nContent-Length: 5\n\nhello'),
    ('a colon', POST + 'Content-Length‖: 5\n\nhello'),
    ('the end of a value', POST + 'Content-Length: 5‖\n\nhello'),
    ('the body', POST + 'Content-Length: 5\n\n‖hello'),
    ('the data of a chunk', CHUNKED + '5\n‖hello\n0\n‖\n'),
    ('the value of an extension', CHUNKED + '5;name‖=value\nhello\n' + END),
    ('the end of an extension', CHUNKED + '5;name=value‖\nhello\n' + END),
    ('the next chunk', CHUNKED + '5\nhello\n‖0\n\n‖'),
)]

PIPELINING = [
    ('three kinds in a row', 'takes',
     POST + 'Content-Length: 5\n\nhello\n' + PUT_5 + '\nhello\n'
     'PATCH @old HTTP/1.1\nHost: dkv\nContent-Length: 4\n\nmore'),
]

FOLDS = 'A:   b\n\tc\n d\n\t\te\n  f \n\t \tg\nH: \t i\t\nJ:\n k\nL: \n \nConnection:\n close\n\n'
SAMPLE = [
    ('OPTIONS, with a tab', 'takes', 'OPTIONS @old HTTP/1.1\nHost: dkv\nX:\t y\n\n'),
    ('a method that begins with H', 'takes', 'HEAD @old HTTP/1.1\nHost: dkv\n\n'),
    ('as a simple client does', 'takes',
     'GET @old HTTP/1.1\nUser-Agent: c/7 (x) y/1.2.3\nHost: 0.0.0.0=5000\nAccept: */*\n\n'),
    ('as a browser does', 'takes',
     GET + 'User-Agent: B/5.0 (X11; U; rv:1.9)\nAccept: text/html,a/b+c;q=0.9,*/*;q=0.8\n'
     'Accept-Language: de-at,de;q=0.5\nAccept-Charset: utf-8;q=0.7,*;q=0.7\nKeep-Alive: 300\n'
     'Connection: keep-alive\n\n'),
    ('many pluses', 'takes', GET + 'xxxxxxxxxx:++++++++++\n\n'),
    ('no header at all', 'takes', 'GET @old HTTP/1.1\n\n'),
    ('one header', 'takes', GET + '\n'),
    ('as a benchmark does', 'last', 'GET @old HTTP/1.0\nHost: 0.0.0.0:5000\nUser-Agent: b/2\nAccept: */*\n\n'),
    ('an empty line before', 'takes', '\n' + GET + '\n'),
    ('no version', 'takes', 'GET @old\n\n'),
    ('folds', 'refuses', GET + FOLDS),
    ('folds behind a LF', 'refuses', (GET + FOLDS).replace('\n', '␊')),
    ('a CR behind the first line', 'refuses', 'GET @old HTTP/1.1\rHost: dkv\n\n'),
    ('a CR behind the first line, and a PUT', 'refuses',
     'PUT @new HTTP/1.1\rX: y\nHost: dkv\nContent-Length: 5\n\nhello'),
    ('an empty line before, and a header', 'takes', '\n' + GET + 'X: y\n\n'),
    ('letters that are not ASCII', 'takes', GET + 'X: Stra\xc3\x9fe\n\n'),
    ('the byte 255', 'takes', GET + 'X: \xffy\n\n'),
    ('a key in many folds', 'refuses',
     GET + 'X-Key:   -----BEGIN-----\n' + 30 * ('\t' + 64 * 'M' + '\n') + '\t-----END-----\n\n'),
]

CODING = [
    ('an empty one, and a length', 'refuses', POST + 'Transfer-Encoding:\nContent-Length: 5\n\nhello'),
    ('chunks that have not come', 'waits', CHUNKED),
    ('a size in lower case', 'takes', CHUNKED + 'a\n0123456789\n' + END),
    ('a size in upper case', 'takes', CHUNKED + 'A\n0123456789\n' + END),
    ('a POST', 'takes', POST + 'Transfer-Encoding: chunked\n\n1e\n' + 30 * 'x' + '\n' + END),
    ('three zeros', 'takes', POST + 'Transfer-Encoding: chunked\n\n5\nhello\n6\n world\n000\n\n'),
    ('trailers', 'takes', POST + 'Transfer-Encoding: chunked\n\n5\nhello\n0\nVary: *\nContent-Type: text/plain\n\n'),
    ('extensions', 'takes', POST + 'Transfer-Encoding: chunked\n\n5;a;b=cdef;ghi=jkl\nhello\n6;m;n\n world\n' + END),
    ('a word behind a size', 'refuses', CHUNKED + '2 xyz\nhe\n0 xyz\n\n'),
    ('no extension behind a semicolon', 'refuses', CHUNKED + '2;\nhe\n' + END),
    ('extensions in quotes', 'takes',
     CHUNKED + '5;a="b \\"c\\"; \\\\d\\\\";e="f";g;h=i\nhello\n6;j;k\n world\n' + END),
    ('quotes that do not end', 'refuses', CHUNKED + '5;a="b";c="d; e\nhello\n' + END),
    ('pigeons', 'refuses', PUT + 'Transfer-Encoding: pigeons\n\nhello'),
    ('identity and a length', 'refuses', POST + 'Transfer-Encoding: identity\nContent-Length: 5\n\nhello'),
    ('identity and a length that is too small', 'refuses',
     POST + 'Transfer-Encoding: identity\nContent-Length: 1\n\nhello'),
    ('three empty ones and a length', 'refuses',
     POST + 'Content-Length: 10\n' + 3 * 'Transfer-Encoding:\n' + '\n2\nhe\n0'),
    ('another behind chunked', 'refuses', POST + 'Transfer-Encoding: chunked, deflate\n\nhello'),
    ('another in a line behind chunked', 'refuses',
     POST + 'Transfer-Encoding: chunked\nTransfer-Encoding: deflate\n\nhello'),
    ('another behind chunked, of a PUT', 'refuses', PUT + 'Transfer-Encoding: chunked, deflate\n\nhello'),
    ('another in a line behind chunked, of a PUT', 'refuses',
     PUT + 'Transfer-Encoding: chunked\nTransfer-Encoding: deflate\n\nhello'),
    ('another before chunked', 'takes', POST + 'Transfer-Encoding: deflate, chunked\n\n' + HELLO + END),
    ('another in a line before chunked', 'takes',
     POST + 'Transfer-Encoding: deflate\nTransfer-Encoding: chunked\n\n' + HELLO + END),
    ('chunkedchunked', 'refuses', POST + 'Transfer-Encoding: chunkedchunked\n\n' + HELLO + END),
    ('no last chunk', 'refuses', CHUNKED + HELLO + '\n\n'),
    ('a LF behind a size', 'refuses', CHUNKED + '5 ␊  \nhello\n' + END),
    ('a fold', 'refuses', PUT + 'Transfer-Encoding: chunked\n  abc\n\n' + HELLO + END),
    ('a CR behind a size', 'refuses', CHUNKED + '5\r\r;ABCD\n34\nE\n0\n\n' + GET + '\n'),
    ('a CR behind a size, and more data', 'refuses', CHUNKED + '6\r\r;ABCD\n33\nE\n0\n\n' + GET + '\n'),
    ('no end behind the data', 'refuses', CHUNKED + '5\nhello0\n\n'),
    ('no end behind the data of a POST', 'refuses', POST + 'Transfer-Encoding: chunked\n\n5\nhello0\n\n'),
    ('a blank behind a size', 'refuses', CHUNKED + 'a \n0123456789\n' + END),
    ('a blank behind a size of a POST', 'refuses', POST + 'Transfer-Encoding: chunked\n\na \n0123456789\n' + END),
]

TARGET = [
    ('quotes', 'takes', 'GET @old"x"?a=\\"b\\" HTTP/1.1\nHost: dkv\n\n'),
    ('two question marks', 'takes', 'GET @old?a=b?c HTTP/1.1\nHost: dkv\n\n'),
    ('a query behind a host', 'takes', 'GET http://example.org?limit=1 HTTP/1.1\nHost: example.org\n\n'),
    ('a query behind a port', 'takes', 'GET http://example.org:1234?limit=1 HTTP/1.1\nHost: example.org:1234\n\n'),
    ('a bar in a query', 'takes', 'GET @old?a=| HTTP/1.1\nHost: dkv\n\n'),
    ('nothing behind a port', 'takes', 'GET http://example.org:1234 HTTP/1.1\nHost: example.org:1234\n\n'),
    ('letters that are not ASCII', 'refuses', 'GET @old\xce\xb4/\xc2\xb6?a=1 HTTP/1.1\nHost: dkv\n\n'),
    ('a fragment', 'takes', 'GET @old?a=1#b HTTP/1.1\nHost: dkv\n\n'),
    ('an underscore in a host', 'last', 'CONNECT exam_ple.org:443 HTTP/1.0\nUser-Agent: x\n\n'),
    ('a password', 'takes', 'GET http://a%12:b!&*$@dkv:1234@old HTTP/1.1\nHost: dkv\n\n'),
    ('a blank', 'refuses', 'GET @old bar/ HTTP/1.1\nHost: dkv\n\n'),
]

LLHTTP = [(f'{group}: {name}', verdict, text) for group, cases in (
    ('connection', CONNECTION), ('content-length', LENGTH), ('finish', FINISH), ('invalid', INVALID),
    ('lenient', LENIENT), ('method', METHOD), ('pausing', PAUSES), ('pipelining', PIPELINING),
    ('sample', SAMPLE), ('transfer-encoding', CODING), ('uri', TARGET)) for name, verdict, text in cases]

# What we say, and why.
DIFFERENCES = {name: (ours, why) for ours, why, names in (
    ('refuses', 'RFC 9112, 2.2, asks for one empty line before a request to be skipped; more is no request', (
        'connection: empty lines between two',)),
    ('refuses', 'RFC 9110, 7.8: an upgrade may be ignored; then what follows is the next request, here a bad one', (
        'connection: an upgrade of a PUT, and more data', 'connection: an upgrade of a GET, and more data',
        'connection: an upgrade to HTTP/2, and more data')),
    ('refuses', 'RFC 9110, 9.3.1: a body has no meaning in a GET, and may be an attack', (
        'content-length: of a GET, in any case',)),
    ('takes', 'RFC 9110, 9.1: every token is a method; one that nobody knows is answered by 501', (
        'invalid: almost a method',)),
    ('refuses', 'RFC 9112, 3.2.4: only OPTIONS may be about the server itself', (
        'method: M-SEARCH of the server',)),
    ('refuses', 'RFC 9112, 2.3: a message of another protocol is none of HTTP', (
        'method: SOURCE of ICE', 'method: OPTIONS of RTSP', 'method: ANNOUNCE of RTSP')),
    ('refuses', 'RFC 9112, 3.2: a request of HTTP/1.1 without a Host must be answered by 400', (
        'sample: no header at all',)),
    ('refuses', 'RFC 9112, 3: a request says its version; HTTP/0.9 is another protocol', (
        'sample: no version',)),
    ('refuses', 'RFC 9110, 6.5.1: Content-Type says how to treat what was already there; no trailer can', (
        'transfer-encoding: trailers',)),
    ('refuses', 'RFC 9112, 6.1: who does not know how to decode a coding should answer 501', (
        'transfer-encoding: another before chunked', 'transfer-encoding: another in a line before chunked')),
    ('takes', 'a key is bytes, and one of them means the same as its %XX; where the message ends does not depend on it', (
        'uri: letters that are not ASCII',)),
    ('refuses', 'RFC 9112, 3.2: no form of a target has a fragment', (
        'uri: a fragment',)),
    ('refuses', 'RFC 9110, 4.2.4: a name and a password before the host are an error', (
        'uri: a password',)),
) for name in names}
