/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sys/socket.h>

#include "http/serve/output.h"

void http_output_add(HttpOutput *output, const void *data, size_t size) {
        if (size == 0)
                return;

        assert(output->n < HTTP_OUTPUT_MAX);
        output->pieces[output->n++] = (struct iovec){ (void *) data, size };
}

static void advance(HttpOutput *output, size_t size) {
        output->sent += size;
        while (output->first < output->n) {
                struct iovec *piece = output->pieces + output->first;

                if (size < piece->iov_len) {
                        piece->iov_base = (uint8_t *) piece->iov_base + size;
                        piece->iov_len -= size;
                        return;
                }
                size -= piece->iov_len;
                output->first++;
        }

        output->n = output->first = 0;
}

int http_output_send(HttpOutput *output, int fd) {
        while (output->n > 0) {
                struct msghdr message = {
                        .msg_iov = output->pieces + output->first,
                        .msg_iovlen = output->n - output->first,
                };
                ssize_t n;

                n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
                advance(output, (size_t) n);
        }

        return 0;
}
