/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "master/group/mail.h"

#define MEMBERS_KNOWN (4 * MEMBERS_MAX) /* members come and go */

/* The number of the last message of a member, and those of its processes that are over. */
typedef struct Sender {
        uint64_t member;              /* 0 for none */
        size_t n_open;                /* channels */
        char url[MEMBER_URL_MAX + 1]; /* "" if it has not said it */
        uint64_t run, sequence;
        uint64_t ended[8];
        size_t n_ended;
} Sender;

/* To whom messages go. */
typedef struct Receiver {
        Mail *mail;
        uint64_t member;      /* 0 for none */
        atomic_size_t n_sent; /* messages that are under way */
} Receiver;

struct Mail {
        MailOptions options;
        uint64_t sequence; /* of the thread that sends, as are the receivers */
        Receiver receivers[MEMBERS_KNOWN];

        pthread_mutex_t lock;
        Sender senders[MEMBERS_KNOWN]; /* with the lock */
};

/* The group and the member are what the uuid is made of. */
static StoreIdentity identity_of(const Mail *mail, uint64_t member, uint64_t run) {
        StoreIdentity identity = { .run = run };
        uint64_t number = htole64(member);

        memcpy(identity.uuid, mail->options.group, 8);
        memcpy(identity.uuid + 8, &number, 8);
        return identity;
}

/* The member at an end of a channel; 0 if that is none of this group. */
static uint64_t member_of(const Mail *mail, const StoreIdentity *identity) {
        uint64_t number;
        StoreIdentity known;

        memcpy(&number, identity->uuid + 8, 8);
        known = identity_of(mail, le64toh(number), 0);
        return store_identity_equal(identity, &known) ? le64toh(number) : 0;
}

int mail_new(const MailOptions *options, Mail **ret) {
        Mail *mail = calloc(1, sizeof(*mail));

        if (!mail)
                return -ENOMEM;

        mail->options = *options;
        (void) pthread_mutex_init(&mail->lock, NULL);
        *ret = mail;
        return 0;
}

Mail *mail_free(Mail *mail) {
        if (!mail)
                return NULL;

        (void) pthread_mutex_destroy(&mail->lock);
        free(mail);
        return NULL;
}

static Receiver *find_receiver(Mail *mail, uint64_t member) {
        Receiver *free_one = NULL;

        for (size_t i = 0; i < MEMBERS_KNOWN; i++) {
                Receiver *receiver = mail->receivers + i;

                if (receiver->member == member)
                        return receiver;
                if (receiver->member == 0 && !free_one)
                        free_one = receiver;
        }
        if (free_one)
                *free_one = (Receiver){ mail, member, 0 };
        return free_one;
}

static void on_done(const RpcResult *result, void *userdata) {
        Receiver *receiver = userdata;

        if (rpc_result_error(result) < 0)
                receiver->mail->options.on_lost(receiver->member, receiver->mail->options.userdata);
        (void) atomic_fetch_sub(&receiver->n_sent, 1); /* it may be forgotten from now on */
}

int mail_send(Mail *mail, const Member *to, Buffer *bytes) {
        Receiver *receiver = find_receiver(mail, to->id);
        Parties parties = {
                .from = identity_of(mail, mail->options.self, mail->options.run),
                .to = identity_of(mail, to->id, 0),
                .sequence = ++mail->sequence,
        };
        int r;

        if (!receiver)
                return -E2BIG;

        memcpy(parties.lead.cluster, mail->options.cluster, sizeof(parties.lead.cluster));
        (void) atomic_fetch_add(&receiver->n_sent, 1);
        r = rpc_call(
                        &(RpcCall){
                                        .peers = mail->options.peers,
                                        .kind = CALL_GROUP,
                                        .url = to->url,
                                        .parties = &parties,
                                        .body = bytes,
                                        .on_done = on_done,
                                        .userdata = receiver,
                        },
                        NULL);
        if (r < 0)
                (void) atomic_fetch_sub(&receiver->n_sent, 1);
        return r;
}

int mail_admit(const Mail *mail, const Handshake *offer, Handshake *answer) {
        if (!cluster_id_equal(offer->cluster, mail->options.cluster) ||
            member_of(mail, &offer->to) != mail->options.self || member_of(mail, &offer->from) == 0)
                return -EREMOTE;

        answer->from = identity_of(mail, mail->options.self, mail->options.run);
        memcpy(answer->cluster, mail->options.cluster, sizeof(answer->cluster));
        return 0;
}

/* With the lock, as the next one. */
static Sender *find_sender(Mail *mail, uint64_t member) {
        for (size_t i = 0; i < MEMBERS_KNOWN; i++)
                if (mail->senders[i].member == member)
                        return mail->senders + i;
        return NULL;
}

/* Makes one for who is not known yet. NULL for none of the group, or if there is no room. */
static Sender *ensure_sender(Mail *mail, uint64_t member) {
        Sender *sender = member > 0 ? find_sender(mail, member) : NULL;

        if (sender || member == 0)
                return sender;
        sender = find_sender(mail, 0);
        if (sender)
                *sender = (Sender){ .member = member };
        return sender;
}

uint64_t mail_opened(Mail *mail, const StoreIdentity *from) {
        uint64_t member = member_of(mail, from);
        Sender *sender;

        (void) pthread_mutex_lock(&mail->lock);
        sender = ensure_sender(mail, member);
        if (sender)
                sender->n_open++;
        (void) pthread_mutex_unlock(&mail->lock);
        return member;
}

uint64_t mail_closed(Mail *mail, const StoreIdentity *from) {
        uint64_t member = member_of(mail, from);
        Sender *sender;

        (void) pthread_mutex_lock(&mail->lock);
        sender = find_sender(mail, member);
        if (sender && sender->n_open > 0)
                sender->n_open--;
        (void) pthread_mutex_unlock(&mail->lock);
        return member;
}

bool mail_is_open(Mail *mail, uint64_t member) {
        const Sender *sender;
        bool is_open;

        (void) pthread_mutex_lock(&mail->lock);
        sender = find_sender(mail, member);
        is_open = sender && sender->n_open > 0;
        (void) pthread_mutex_unlock(&mail->lock);
        return is_open;
}

static bool has_ended(const Sender *sender, uint64_t run) {
        for (size_t i = 0; i < MIN(sender->n_ended, ELEMENTSOF(sender->ended)); i++)
                if (sender->ended[i] == run)
                        return true;
        return false;
}

static bool is_next(Sender *sender, uint64_t run, uint64_t sequence) {
        if (has_ended(sender, run) || (run == sender->run && sequence <= sender->sequence))
                return false;
        if (run != sender->run && sender->run > 0)
                sender->ended[sender->n_ended++ % ELEMENTSOF(sender->ended)] = sender->run;
        sender->run = run;
        sender->sequence = sequence;
        return true;
}

void mail_begin(const char *url, Buffer *ret) {
        uint8_t size = (uint8_t) strlen(url);

        static_assert(MEMBER_URL_MAX <= UINT8_MAX);
        buffer_put(ret, &size, 1);
        buffer_put(ret, url, size);
}

/* Where a message begins, behind the address. */
static int read_url(const Buffer *bytes, char ret[static MEMBER_URL_MAX + 1], size_t *ret_begin) {
        const uint8_t *data = bytes->data;
        size_t size = bytes->size > 0 ? data[0] : 0;

        if (bytes->size < 1 + size || memchr(data + 1, 0, size))
                return -EBADMSG;
        memcpy(ret, data + 1, size);
        ret[size] = '\0';
        *ret_begin = 1 + size;
        return 0;
}

int mail_take(Mail *mail,
              const Parties *parties,
              const Buffer *bytes,
              uint64_t *ret_member,
              size_t *ret_begin) {
        uint64_t member = member_of(mail, &parties->from);
        char url[MEMBER_URL_MAX + 1];
        Sender *sender;
        int r;

        r = read_url(bytes, url, ret_begin);
        if (r < 0)
                return r;

        r = -EREMOTE;
        (void) pthread_mutex_lock(&mail->lock);
        sender = ensure_sender(mail, member);
        if (sender)
                r = is_next(sender, parties->from.run, parties->sequence) ? 0 : -EALREADY;
        if (r >= 0 && url[0] != '\0')
                memcpy(sender->url, url, sizeof(url));
        (void) pthread_mutex_unlock(&mail->lock);
        *ret_member = member;
        return r;
}

bool mail_find_url(Mail *mail, uint64_t member, char ret[static MEMBER_URL_MAX + 1]) {
        const Sender *sender;
        bool is_known;

        (void) pthread_mutex_lock(&mail->lock);
        sender = find_sender(mail, member);
        is_known = sender && sender->url[0] != '\0';
        if (is_known)
                memcpy(ret, sender->url, sizeof(sender->url));
        (void) pthread_mutex_unlock(&mail->lock);
        return is_known;
}

void mail_keep(Mail *mail, const Members *members) {
        for (size_t i = 0; i < MEMBERS_KNOWN; i++) {
                Receiver *receiver = mail->receivers + i;

                if (atomic_load(&receiver->n_sent) == 0 && !members_find(members, receiver->member))
                        receiver->member = 0;
        }

        (void) pthread_mutex_lock(&mail->lock);
        for (size_t i = 0; i < MEMBERS_KNOWN; i++) {
                Sender *sender = mail->senders + i;

                if (sender->n_open == 0 && !members_find(members, sender->member))
                        sender->member = 0;
        }
        (void) pthread_mutex_unlock(&mail->lock);
}
