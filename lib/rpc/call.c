/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/call-internal.h"
#include "rpc/client-internal.h"

#define ANSWER_MAX  (16 * MIB)  /* unless the call has another limit */
#define BUFFER_SIZE (256 * KIB) /* for bodies that arrive or leave piece by piece */

int http_call_new(HttpClient *client, const char *method, const char *url, HttpCall **ret) {
        size_t url_size, method_size;
        HttpCall *call;

        assert(client);
        assert(method);
        assert(url);
        assert(ret);

        url_size = strlen(url) + 1;
        method_size = strlen(method) + 1;
        call = malloc(sizeof(*call) + url_size + method_size);
        if (!call)
                return -ENOMEM;

        *call = (HttpCall){
                .references = 1,
                .client = http_client_ref(client),
                .stall_timeout_usec = client->stall_timeout_usec,
                .answer_max = ANSWER_MAX,
        };
        memcpy(call->url, url, url_size);
        call->method = memcpy(call->url + url_size, method, method_size);

        *ret = call;
        return 0;
}

HttpCall *http_call_ref(HttpCall *call) {
        assert(call);

        atomic_fetch_add(&call->references, 1);
        return call;
}

HttpCall *http_call_unref(HttpCall *call) {
        if (!call || atomic_fetch_sub(&call->references, 1) > 1)
                return NULL;

        assert(!call->easy);
        curl_slist_free_all(call->headers);
        buffer_done(&call->body);
        buffer_done(&call->answer);
        (void) http_client_unref(call->client);
        free(call);
        return NULL;
}

static int add_line(HttpCall *call, const char *line) {
        struct curl_slist *headers;

        headers = curl_slist_append(call->headers, line);
        if (!headers)
                return -ENOMEM;

        call->headers = headers;
        return 0;
}

int http_call_add_header(HttpCall *call, const char *name, const char *value) {
        _cleanup_free_ char *line = NULL;

        assert(call);

        if (strpbrk(value, "\r\n"))
                return -EINVAL;

        /* libcurl takes "Name:" for a header to leave out, and "Name;" for an empty one. */
        if (asprintf(&line, *value ? "%s: %s" : "%s;", name, value) < 0) {
                line = NULL;
                return -ENOMEM;
        }

        return add_line(call, line);
}

void http_call_set_body(HttpCall *call, Buffer *body) {
        assert(call);
        assert(body);

        buffer_done(&call->body);
        call->body = *body;
        *body = (Buffer){};
}

/* Path and query. */
static const char *get_target(const HttpCall *call) {
        const char *host = strstr(call->url, "://");

        return host ? strchr(host + 3, '/') : NULL;
}

int http_call_sign(HttpCall *call, const Parties *parties) {
        HttpClient *client = call->client;
        char signature[SIGNATURE_SIZE];
        const char *target = get_target(call);
        int r;

        if (!client->signer)
                return -EACCES;
        if (!target)
                return -EINVAL;

        (void) pthread_mutex_lock(&client->signer_lock);
        r = signature_format(
                        call->method, target, parties, call->body.data, call->body.size,
                        clock_cluster() / USEC_PER_SEC + SIGNATURE_LIFETIME_SEC, client->signer,
                        signature);
        (void) pthread_mutex_unlock(&client->signer_lock);
        if (r < 0)
                return r;

        return http_call_add_header(call, SIGNATURE_HEADER, signature);
}

int http_call_check_answer(HttpCall *call, const HttpResult *result, Parties *ret) {
        HttpClient *client = call->client;
        const char *text = http_call_header(call, SIGNATURE_HEADER), *target = get_target(call);
        Signature signature;
        int r;

        if (!client->signer || !target)
                return -EACCES;

        (void) pthread_mutex_lock(&client->signer_lock);
        r = signature_check(text, SIGNATURE_ANSWER, target, 0, client->signer, &signature);
        if (r >= 0)
                r = signature_check_body(
                                &signature, result->body, result->body_size, client->signer);
        (void) pthread_mutex_unlock(&client->signer_lock);
        if (r < 0)
                return r;

        *ret = signature.parties;
        return 0;
}

void http_call_set_source(
                HttpCall *call,
                uint64_t size,
                ssize_t (*read)(void *userdata, void *data, size_t size)) {
        assert(call);
        assert(read);

        call->source_size = size;
        call->read = read;
}

void http_call_set_stall_timeout(HttpCall *call, uint64_t usec) {
        assert(call);
        assert(usec > 0);

        call->stall_timeout_usec = usec;
}

void http_call_set_answer_max(HttpCall *call, size_t size) {
        assert(call);

        call->answer_max = size;
}

void http_call_set_sink(
                HttpCall *call,
                int (*on_head)(HttpCall *call, unsigned status, void *userdata),
                int (*on_body)(void *userdata, const void *data, size_t size)) {
        assert(call);

        call->on_head = on_head;
        call->on_body = on_body;
}

const char *http_call_header(HttpCall *call, const char *name) {
        struct curl_header *header;

        assert(call);

        if (!call->easy || curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header) != 0)
                return NULL;

        return header->value;
}

static unsigned get_status(HttpCall *call) {
        long status = 0;

        (void) curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        return (unsigned) status;
}

static size_t on_header(char *line, size_t size, size_t n, void *userdata) {
        HttpCall *call = userdata;
        bool is_last = n > 0 && line[0] == '\r';
        int r;

        /* Trailers and what comes with 100 Continue end in an empty line, too. */
        if (!is_last || call->has_head || get_status(call) < 200)
                return n;

        call->has_head = true;
        r = call->on_head(call, get_status(call), call->userdata);
        if (r < 0) {
                call->error = r;
                return 0;
        }

        return n;
}

static int collect(HttpCall *call, const void *data, size_t size) {
        if (call->answer.size + size > call->answer_max)
                return -EFBIG;

        buffer_put(&call->answer, data, size);
        return buffer_error(&call->answer);
}

static size_t on_answer(char *data, size_t size, size_t n, void *userdata) {
        HttpCall *call = userdata;
        int r;

        r = call->on_body ? call->on_body(call->userdata, data, n) : collect(call, data, n);
        if (r == -EAGAIN) {
                call->paused = true;
                return CURL_WRITEFUNC_PAUSE;
        }
        if (r < 0) {
                call->error = r;
                return n + 1; /* any value other than N ends the transfer */
        }

        return n;
}

static size_t on_source(char *data, size_t size, size_t n, void *userdata) {
        HttpCall *call = userdata;
        ssize_t r;

        r = call->read(call->userdata, data, n);
        if (r == -EAGAIN) {
                call->paused = true;
                return CURL_READFUNC_PAUSE;
        }
        if (r < 0) {
                call->error = (int) r;
                return CURL_READFUNC_ABORT;
        }

        return (size_t) r;
}

/* How the body is sent decides how libcurl sees the method, whatever its name is. */
static void set_method(HttpCall *call, CURL *easy) {
        if (call->read) {
                curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
                curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_source);
                curl_easy_setopt(easy, CURLOPT_READDATA, call);
                curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long) BUFFER_SIZE);
                curl_easy_setopt(
                                easy, CURLOPT_INFILESIZE_LARGE,
                                call->source_size == UINT64_MAX ? (curl_off_t) -1
                                                                : (curl_off_t) call->source_size);
        } else if (call->body.size > 0 || strcmp(call->method, "POST") == 0 ||
                   strcmp(call->method, "PUT") == 0) {
                curl_easy_setopt(easy, CURLOPT_POST, 1L);
                curl_easy_setopt(
                                easy, CURLOPT_POSTFIELDS,
                                call->body.size > 0 ? (const char *) call->body.data : "");
                curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) call->body.size);
        } else if (strcmp(call->method, "HEAD") == 0) {
                curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        }

        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static bool has_header(const HttpCall *call, const char *name) {
        size_t n = strlen(name);

        for (const struct curl_slist *header = call->headers; header; header = header->next)
                if (strncasecmp(header->data, name, n) == 0 && header->data[n] == ':')
                        return true;

        return false;
}

int http_call_prepare(HttpCall *call, CURL *easy) {
        HttpClient *client = call->client;
        int r;

        /* libcurl would add these unasked */
        r = has_header(call, "Expect") ? 0 : add_line(call, "Expect:");
        if (r >= 0)
                r = add_line(call, "Accept:");
        if (r >= 0 && !has_header(call, "Content-Type"))
                r = add_line(call, "Content-Type:");
        if (r < 0)
                return r;

        if (curl_easy_setopt(easy, CURLOPT_URL, (const char *) call->url) != CURLE_OK)
                return -ENOMEM;
        set_method(call, easy);

        curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not even the one from the environment */
        curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
        curl_easy_setopt(
                        easy, CURLOPT_CONNECTTIMEOUT_MS,
                        (long) MAX(client->connect_timeout_usec / USEC_PER_MSEC, UINT64_C(1)));
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
        if (call->on_head) {
                curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
                curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
        }
        if (call->on_body)
                curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long) BUFFER_SIZE);

        return 0;
}

/* Only the system knows why a connection could not be made. */
static const char *connect_reason(const HttpCall *call) {
        switch (call->os_error) {
        case ECONNREFUSED:
                return "it refuses connections, so no daemon listens there";
        case EHOSTUNREACH:
        case ENETUNREACH:
                return "there is no way to that address from this machine";
        case EACCES:
        case EPERM:
                return "this machine's firewall forbids it";
        case 0:
                return "there is no machine of that name, or it does not answer";
        default:
                return "it does not answer; is it up, and does a firewall let the port through?";
        }
}

static const char *http_reason(const HttpCall *call, int error) {
        switch (error) {
        case 0:
                return "";
        case -EHOSTDOWN:
                return connect_reason(call);
        case -ETIMEDOUT:
                return "it takes connections and does not answer in time";
        case -ECONNRESET:
                return "it broke the connection";
        case -ECANCELED:
        case -ESHUTDOWN:
                return "the call was ended here";
        default:
                return "what it answers is no HTTP that dkv knows";
        }
}

void http_call_done(HttpCall *call, int error) {
        HttpResult result = {
                .error = error,
                .os_error = error < 0 ? call->os_error : 0,
                .reason = http_reason(call, error),
        };

        if (error == 0) {
                result.status = get_status(call);
                result.body = call->answer.data;
                result.body_size = call->answer.size;
        }

        call->on_done(call, &result, call->userdata);
}

void http_call_start(
                HttpCall *call,
                void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata),
                void *userdata) {
        assert(call);
        assert(on_done);
        assert(!call->on_done); /* a call can be started once */

        call->on_done = on_done;
        call->userdata = userdata;
        http_client_command(call->client, call, HTTP_CALL_START);
        (void) http_call_unref(call);
}

void http_call_resume(HttpCall *call) {
        assert(call);

        http_client_command(call->client, call, HTTP_CALL_RESUME);
}

void http_call_cancel(HttpCall *call) {
        assert(call);

        http_client_command(call->client, call, HTTP_CALL_CANCEL);
}

static uint64_t count_bytes(const HttpCall *call) {
        curl_off_t sent = 0, received = 0;
        long headers = 0;

        (void) curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
        (void) curl_easy_getinfo(call->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
        (void) curl_easy_getinfo(call->easy, CURLINFO_HEADER_SIZE, &headers);

        return (uint64_t) sent + (uint64_t) received + (uint64_t) headers;
}

uint64_t http_call_look(HttpCall *call, uint64_t now) {
        uint64_t bytes = count_bytes(call);

        if (call->paused || bytes != call->progress_bytes) {
                call->progress_usec = now;
                call->progress_bytes = bytes;
        }
        return now - call->progress_usec;
}
