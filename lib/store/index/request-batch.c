/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/index/request-batch.h"

#define BATCH_FORMAT 1

void request_batch_begin(uint64_t term, Buffer *buffer) {
        buffer_put_u8(buffer, BATCH_FORMAT);
        buffer_put_u64(buffer, term);
}

void request_batch_add(const IndexRequest *request, Buffer *buffer) {
        size_t start;

        buffer_put_u32(buffer, 0);
        start = buffer->size;
        request_encode(request, buffer);
        if (buffer_error(buffer) == 0)
                buffer_set_u32(buffer, start - sizeof(uint32_t), (uint32_t) (buffer->size - start));
}

int request_batch_open(const void *data, size_t size, RequestBatch *ret) {
        Reader reader = READER(data, size);
        uint8_t format = reader_get_u8(&reader);
        uint64_t term = reader_get_u64(&reader);

        if (reader_error(&reader) < 0 || reader.size == 0)
                return -EBADMSG;
        if (format != BATCH_FORMAT)
                return -EPROTONOSUPPORT;

        *ret = (RequestBatch){ term, reader };
        return 0;
}

int request_batch_next(RequestBatch *batch, DecodedRequest *ret) {
        const void *data;
        uint32_t size;
        int r;

        *ret = (DecodedRequest){};
        if (batch->reader.size == 0)
                return 0;

        size = reader_get_u32(&batch->reader);
        data = reader_get(&batch->reader, size);
        if (reader_error(&batch->reader) < 0)
                return -EBADMSG;
        r = request_decode(data, size, ret);
        return r < 0 ? r : 1;
}
