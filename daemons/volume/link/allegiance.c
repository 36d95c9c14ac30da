/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#include "base/buffer.h"
#include "core/call/ticket.h"
#include "volume/link/allegiance.h"

#define STATE_NAME   "allegiance"
#define STATE_FORMAT 1
#define STATE_SIZE   (1 + 4 + CLUSTER_ID_SIZE + 8 + 8)

struct Allegiance {
        ObjectStore *store; /* not owned */
        StoreIdentity self;

        atomic_uint_least64_t ticket_store;

        pthread_mutex_t lock; /* for the rest */
        Leadership lead;      /* the last one that was followed, durably */
        bool is_following;    /* it has accepted a report of this run */
        uint64_t sequence;    /* of the last call */

        bool is_storing; /* the next one */
        Leadership next;
        ObjectStoreSet set;
        Buffer encoded;
};

static int decode(const Buffer *state, StoreIdentity *self, Leadership *lead) {
        Reader reader = READER(state->data, state->size);
        const void *cluster;
        uint32_t number;

        if (reader_get_u8(&reader) != STATE_FORMAT)
                return -EPROTONOSUPPORT;
        number = reader_get_u32(&reader);
        cluster = reader_get(&reader, CLUSTER_ID_SIZE);
        if (cluster)
                memcpy(lead->cluster, cluster, CLUSTER_ID_SIZE);
        lead->term = reader_get_u64(&reader);
        lead->leader = reader_get_u64(&reader);
        if (reader_end(&reader) < 0)
                return -EBADMSG;
        if (number != self->number) {
                self->number = number;
                return -EREMOTE;
        }
        return 0;
}

static void know_tickets(Allegiance *allegiance, const Leadership *lead) {
        atomic_store(&allegiance->ticket_store, ticket_store(lead->cluster, &allegiance->self));
}

static int load(Allegiance *allegiance) {
        _cleanup_(buffer_done) Buffer state = {};
        int r;

        r = object_store_get_state(allegiance->store, STATE_NAME, &state);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = decode(&state, &allegiance->self, &allegiance->lead);
        if (r >= 0)
                know_tickets(allegiance, &allegiance->lead);
        return r;
}

int allegiance_new(ObjectStore *store, uint32_t number, Allegiance **ret, uint32_t *reterr_number) {
        _cleanup_(allegiance_freep) Allegiance *allegiance = calloc(1, sizeof(*allegiance));
        int r;

        if (!allegiance)
                return -ENOMEM;

        allegiance->store = store;
        allegiance->self.number = number;
        memcpy(allegiance->self.uuid, object_store_uuid(store), sizeof(Uuid));
        (void) pthread_mutex_init(&allegiance->lock, NULL);
        while (allegiance->self.run == 0)
                if (getrandom(&allegiance->self.run, sizeof(allegiance->self.run), 0) < 0)
                        return -errno;

        r = load(allegiance);
        if (r == -EREMOTE)
                *reterr_number = allegiance->self.number;
        if (r < 0)
                return r;

        *ret = TAKE_PTR(allegiance);
        return 0;
}

Allegiance *allegiance_free(Allegiance *allegiance) {
        if (!allegiance)
                return NULL;

        (void) pthread_mutex_destroy(&allegiance->lock);
        buffer_done(&allegiance->encoded);
        free(allegiance);
        return NULL;
}

const StoreIdentity *allegiance_store(const Allegiance *allegiance) {
        return &allegiance->self;
}

uint64_t allegiance_ticket_store(const Allegiance *allegiance) {
        return atomic_load(&allegiance->ticket_store);
}

bool allegiance_lead(Allegiance *allegiance, Leadership *ret) {
        bool is_following;

        (void) pthread_mutex_lock(&allegiance->lock);
        *ret = allegiance->lead;
        is_following = allegiance->is_following;
        (void) pthread_mutex_unlock(&allegiance->lock);
        return is_following;
}

bool allegiance_follows(Allegiance *allegiance, const Leadership *lead) {
        Leadership followed;

        return allegiance_lead(allegiance, &followed) && leadership_equal(&followed, lead);
}

/* With the lock held. */
static void follow(Allegiance *allegiance, const Leadership *lead) {
        allegiance->lead = *lead;
        allegiance->is_following = true;
}

static void on_stored(Operation *operation, int result) {
        Allegiance *allegiance = CONTAINER_OF(operation, Allegiance, set.operation);

        (void) pthread_mutex_lock(&allegiance->lock);
        allegiance->is_storing = false;
        if (result >= 0)
                follow(allegiance, &allegiance->next);
        (void) pthread_mutex_unlock(&allegiance->lock);
}

static int encode(Allegiance *allegiance, const Leadership *lead) {
        Buffer *encoded = &allegiance->encoded;

        buffer_clear(encoded);
        buffer_put_u8(encoded, STATE_FORMAT);
        buffer_put_u32(encoded, allegiance->self.number);
        buffer_put(encoded, lead->cluster, sizeof(lead->cluster));
        buffer_put_u64(encoded, lead->term);
        buffer_put_u64(encoded, lead->leader);
        return buffer_error(encoded);
}

/* With the lock held. Returns 1 if the leader has to be stored first. */
static int accept_locked(Allegiance *allegiance, const Leadership *lead) {
        const Leadership *last = &allegiance->lead;
        bool is_bound = !cluster_id_is_null(last->cluster);
        int r;

        if (is_bound && !cluster_id_equal(last->cluster, lead->cluster))
                return -EREMOTE;
        if (leadership_equal(last, lead)) {
                if (!allegiance->is_following)
                        follow(allegiance, lead);
                return 0;
        }
        if (is_bound && lead->term <= last->term)
                return -EKEYREVOKED;
        if (allegiance->is_storing)
                return 0; /* the next report is soon enough */

        r = encode(allegiance, lead);
        if (r < 0)
                return r;
        know_tickets(allegiance, lead); /* the master sends clients from now on */
        allegiance->is_storing = true;
        allegiance->next = *lead;
        allegiance->set = (ObjectStoreSet){
                .operation.done = on_stored,
                .name = STATE_NAME,
                .data = allegiance->encoded.data,
                .size = allegiance->encoded.size,
        };
        return 1;
}

int allegiance_accept(Allegiance *allegiance, const Leadership *lead) {
        int r;

        if (cluster_id_is_null(lead->cluster) || lead->term == 0)
                return -EREMOTE;

        (void) pthread_mutex_lock(&allegiance->lock);
        r = accept_locked(allegiance, lead);
        (void) pthread_mutex_unlock(&allegiance->lock);

        if (r > 0)
                object_store_set(allegiance->store, &allegiance->set);
        return MIN(r, 0);
}

/* With the lock held. */
static int check_receiver(const Allegiance *allegiance, const Parties *call) {
        const StoreIdentity *self = &allegiance->self;

        if (!store_identity_equal(&call->to, self))
                return -EREMOTE;
        if (cluster_id_is_null(allegiance->lead.cluster))
                return -EINPROGRESS;
        if (!cluster_id_equal(call->lead.cluster, allegiance->lead.cluster))
                return -EREMOTE;

        /* A caller that means another run has not heard of this one yet. */
        return call->to.run == 0 || call->to.run == self->run ? 0 : -EINPROGRESS;
}

static int check_order(Allegiance *allegiance, const Parties *order) {
        int r;

        r = check_receiver(allegiance, order);
        if (r < 0)
                return r;
        if (order->from.number != 0 || order->to.run == 0)
                return -EREMOTE;
        if (!leadership_equal(&order->lead, &allegiance->lead))
                return order->lead.term < allegiance->lead.term ? -EKEYREVOKED : -EINPROGRESS;
        return allegiance->is_following ? 0 : -EINPROGRESS;
}

int allegiance_check_order(Allegiance *allegiance, const Parties *order) {
        int r;

        (void) pthread_mutex_lock(&allegiance->lock);
        r = check_order(allegiance, order);
        (void) pthread_mutex_unlock(&allegiance->lock);
        return r;
}

int allegiance_check_receiver(Allegiance *allegiance, const Parties *call) {
        int r;

        (void) pthread_mutex_lock(&allegiance->lock);
        r = check_receiver(allegiance, call);
        (void) pthread_mutex_unlock(&allegiance->lock);
        return r;
}

int allegiance_check_greeting(Allegiance *allegiance, const Parties *call) {
        int r = allegiance_check_receiver(allegiance, call);

        return r == -EINPROGRESS ? 0 : r;
}

bool allegiance_call(Allegiance *allegiance, Parties *ret) {
        bool is_following;

        (void) pthread_mutex_lock(&allegiance->lock);
        *ret = (Parties){
                .lead = allegiance->lead,
                .from = allegiance->self,
                .sequence = ++allegiance->sequence,
        };
        is_following = allegiance->is_following;
        (void) pthread_mutex_unlock(&allegiance->lock);
        return is_following;
}
