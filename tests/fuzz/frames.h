/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Frames for the fuzz targets of channels, with the right tags, so that what is behind these is
 * reached. */

#include <string.h>

#include "base/buffer.h"
#include "channel/session.h"

#define FRAMES_SIZE_MAX (100 * KIB) /* what a socket surely takes at once */

static inline int64_t frames_any(const FrameHeader *header, void *userdata) {
        return UINT32_MAX;
}

/* Each frame is six bytes: type, code, number, length (two bytes), and what is wrong with it:
 * nothing, its tag, its header, or that it ends too soon. The payload is the bytes that follow, as
 * far as there are any, and zeroes. */
static inline void frames_make(Session *session, const uint8_t *data, size_t size, Buffer *ret) {
        while (size >= 6 && ret->size < FRAMES_SIZE_MAX) {
                FrameHeader header = { data[3] | (data[4] % 16U) << 8, data[0], data[1], data[2] };
                size_t n = FRAME_HEADER_SIZE + header.length + FRAME_TAG_SIZE, filled;
                uint8_t *frame = calloc(1, n), fault = data[5];

                assert(frame);
                data += 6;
                size -= 6;
                filled = MIN(MIN(header.length, size), (size_t) fault / 8);
                frame_header_encode(&header, frame);
                memcpy(frame + FRAME_HEADER_SIZE, data, filled);
                data += filled;
                size -= filled;
                assert(session_seal(session, frame, FRAME_HEADER_SIZE, frame + FRAME_HEADER_SIZE,
                                    header.length, frame + n - FRAME_TAG_SIZE) >= 0);
                if (fault % 8 == 1)
                        frame[n - 1] ^= 1;
                if (fault % 8 == 2)
                        frame[5] ^= 1;
                buffer_put(ret, frame, fault % 8 == 3 ? n / 2 : n);
                free(frame);
        }
        assert(buffer_error(ret) == 0);
}
