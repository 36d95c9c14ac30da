/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <pthread.h>
#include <string.h>

#include "master/group/mail.h"

#define SENDERS_MAX (4 * MEMBERS_MAX) /* members come and go */

/* The number of the last message of a member, and those of its processes that are over. */
typedef struct Sender {
        uint64_t member; /* 0 for none */
        uint64_t run, sequence;
        uint64_t ended[8];
        size_t n_ended;
} Sender;

/* To whom messages go. */
typedef struct Receiver {
        Mail *mail;
        uint64_t member;
} Receiver;

struct Mail {
        MailOptions options;
        uint64_t sequence; /* of the thread that sends, as are the receivers */
        Receiver receivers[SENDERS_MAX];

        pthread_mutex_t lock;
        Sender senders[SENDERS_MAX]; /* with the lock */
};

/* The group and the member are what the uuid is made of. */
static StoreIdentity identity_of(const Mail *mail, uint64_t member, uint64_t run) {
        StoreIdentity identity = { .run = run };
        uint64_t number = htole64(member);

        memcpy(identity.uuid, mail->options.group, 8);
        memcpy(identity.uuid + 8, &number, 8);
        return identity;
}

uint64_t mail_member(const Mail *mail, const StoreIdentity *identity) {
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
        for (size_t i = 0; i < SENDERS_MAX; i++) {
                Receiver *receiver = mail->receivers + i;

                if (receiver->member == 0)
                        *receiver = (Receiver){ mail, member };
                if (receiver->member == member)
                        return receiver;
        }
        return NULL;
}

static void on_done(const RpcResult *result, void *userdata) {
        const Receiver *receiver = userdata;

        if (rpc_result_error(result) < 0)
                receiver->mail->options.on_lost(receiver->member, receiver->mail->options.userdata);
}

int mail_send(Mail *mail, const Member *to, Buffer *bytes) {
        Receiver *receiver = find_receiver(mail, to->id);
        Parties parties = {
                .from = identity_of(mail, mail->options.self, mail->options.run),
                .to = identity_of(mail, to->id, 0),
                .sequence = ++mail->sequence,
        };

        if (!receiver)
                return -E2BIG;

        memcpy(parties.lead.cluster, mail->options.cluster, sizeof(parties.lead.cluster));
        return rpc_call(
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
}

int mail_admit(const Mail *mail, const Handshake *offer, Handshake *answer) {
        if (!cluster_id_equal(offer->cluster, mail->options.cluster) ||
            mail_member(mail, &offer->to) != mail->options.self ||
            mail_member(mail, &offer->from) == 0)
                return -EREMOTE;

        answer->from = identity_of(mail, mail->options.self, mail->options.run);
        memcpy(answer->cluster, mail->options.cluster, sizeof(answer->cluster));
        return 0;
}

static Sender *find_sender(Mail *mail, uint64_t member) {
        for (size_t i = 0; i < SENDERS_MAX; i++) {
                Sender *sender = mail->senders + i;

                if (sender->member == 0)
                        sender->member = member;
                if (sender->member == member)
                        return sender;
        }
        return NULL;
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

int mail_check(Mail *mail, const Parties *parties, uint64_t *ret_member) {
        uint64_t member = mail_member(mail, &parties->from);
        Sender *sender;
        int r = -EREMOTE;

        (void) pthread_mutex_lock(&mail->lock);
        sender = member > 0 ? find_sender(mail, member) : NULL;
        if (sender)
                r = is_next(sender, parties->from.run, parties->sequence) ? 0 : -EALREADY;
        (void) pthread_mutex_unlock(&mail->lock);
        *ret_member = member;
        return r;
}
