/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "core/record.h"
#include "store/value/item.h"

/* The first byte. An object of its own begins with another one; see core/record.c. */
enum {
        FORMAT_INLINE = 0x31,
        FORMAT_FILE = 0x32,
};

void item_encode(const Item *item, Buffer *buffer) {
        assert(item->is_pointer);

        buffer_put_u8(buffer, item->is_inline ? FORMAT_INLINE : FORMAT_FILE);
        buffer_put_u32(buffer, item->place.file);
        buffer_put_u32(buffer, item->place.offset);
        buffer_put_varint(buffer, item->size);
        buffer_put_varint(buffer, item->value_size);
}

static int decode_object(const void *data, size_t size, Item *ret) {
        Object object;
        int r;

        r = object_decode(data, size, &object);
        if (r < 0)
                return r;

        *ret = (Item){
                .is_inline = object.is_inline,
                .value_size = object.record.size,
                .size = (uint32_t) size,
        };
        return 0;
}

int item_decode(const void *data, size_t size, Item *ret) {
        Reader reader = READER(data, size);
        uint8_t format = reader_get_u8(&reader);
        Item item = { .is_pointer = true, .is_inline = format == FORMAT_INLINE };

        if (format != FORMAT_INLINE && format != FORMAT_FILE)
                return decode_object(data, size, ret);

        item.place.file = reader_get_u32(&reader);
        item.place.offset = reader_get_u32(&reader);
        item.size = (uint32_t) reader_get_varint(&reader);
        item.value_size = reader_get_varint(&reader);
        if (reader_end(&reader) < 0)
                return -EBADMSG;

        *ret = item;
        return 0;
}
