#include "chat/http.h"
#include "base/clock.h"
#include "base/memory.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* How long a wait for the network may be before events are asked again. */
enum { POLL_MILLISECONDS = 200 };

struct http {
    CURL *easy;
    CURLM *multi;
};

/* One exchange in progress. */
struct exchange {
    const struct http_request *request;
    struct http_reply *reply;
    CURL *easy;
    double start, last_byte;
    curl_off_t uploaded;
    size_t header_bytes, body_bytes;
    bool sent;         /* the connection stands: something has gone over it */
    bool answered;     /* a byte of the body has come */
    bool enough;       /* the body of an error is longer than anyone reads */
    rag_status status; /* of a callback, which has then filled *error */
    rag_error *error;
    char curl_error[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_status;

static void start_curl(void)
{
    curl_status = curl_global_init(CURL_GLOBAL_DEFAULT);
}

rag_status http_new(struct http **out, rag_error *error)
{
    *out = NULL;
    pthread_once(&curl_once, start_curl);
    if (curl_status)
        return fail_with(error, RAG_INTERNAL, "libcurl does not start: %s",
                         curl_easy_strerror(curl_status));
    struct http *http = alloc_zeroed(1, sizeof *http);
    if (!http)
        return fail_memory(error);
    http->easy = curl_easy_init();
    http->multi = curl_multi_init();
    if (!http->easy || !http->multi) {
        http_free(http);
        return fail_memory(error);
    }
    *out = http;
    return RAG_OK;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    free(http);
}

void http_reply_release(struct http_reply *reply)
{
    buf_release(&reply->body);
}

/* ---- What comes in -------------------------------------------------------- */

static void byte_seen(struct exchange *x)
{
    x->last_byte = clock_seconds();
}

static size_t on_header(char *data, size_t one, size_t size, void *user)
{
    struct exchange *x = user;
    (void)data;
    (void)one;
    byte_seen(x);
    x->header_bytes += size;
    if (x->header_bytes <= HTTP_MAX_HEADERS)
        return size;
    x->status = fail_with(x->error, RAG_NETWORK, "the headers of the reply pass %d bytes",
                          HTTP_MAX_HEADERS);
    return 0;
}

static bool is_event_stream(CURL *easy)
{
    char *type = NULL;
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    return type && (strncasecmp(type, "text/event-stream", 17) == 0 ||
                    strncasecmp(type, "application/x-ndjson", 20) == 0);
}

static void read_head(struct exchange *x)
{
    struct http_reply *reply = x->reply;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    reply->streamed = reply->status >= 200 && reply->status <= 299 && x->request->on_data &&
                      is_event_stream(x->easy);
}

static rag_status take(struct exchange *x, const char *data, size_t size)
{
    struct http_reply *reply = x->reply;
    if (reply->status < 200 || reply->status > 299) {
        size_t room = HTTP_MAX_ERROR_BODY - reply->body.size;
        x->enough = size > room;
        return buf_append(&reply->body, data, size < room ? size : room)
                   ? RAG_OK
                   : fail_memory(x->error);
    }
    if (size > x->request->limits.bytes - x->body_bytes)
        return fail_with(x->error, RAG_NETWORK, "the reply is longer than %zu bytes",
                         x->request->limits.bytes);
    x->body_bytes += size;
    if (reply->streamed)
        return x->request->on_data(data, size, x->request->user, x->error);
    return buf_append(&reply->body, data, size) ? RAG_OK : fail_memory(x->error);
}

static size_t on_body(char *data, size_t one, size_t size, void *user)
{
    struct exchange *x = user;
    (void)one;
    byte_seen(x);
    x->answered = true;
    read_head(x);
    x->status = take(x, data, size);
    return x->status || x->enough ? CURL_WRITEFUNC_ERROR : size;
}

/* A long upload is no silence. */
static int on_transfer(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct exchange *x = user;
    (void)down_total;
    (void)down;
    (void)up_total;
    if (up != x->uploaded) {
        x->uploaded = up;
        x->sent = true;
        byte_seen(x);
    }
    return 0;
}

/* ---- One exchange --------------------------------------------------------- */

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *grown = curl_slist_append(*list, line);
    if (grown)
        *list = grown;
    return grown != NULL;
}

static bool make_headers(const struct http_request *request, struct curl_slist **list)
{
    /* An empty Expect: the body goes at once, without asking first. */
    bool ok =
        add_header(list, "Content-Type: application/json") &&
        add_header(list, request->on_data ? "Accept: text/event-stream, application/x-ndjson, "
                                            "application/json"
                                          : "Accept: application/json") &&
        add_header(list, "Expect:");
    for (size_t i = 0; ok && i < request->header_count; i++)
        ok = add_header(list, request->headers[i]);
    return ok;
}

static void prepare(struct exchange *x, struct curl_slist *headers)
{
    CURL *easy = x->easy;
    const struct http_request *request = x->request;
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "rag/" RAG_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(request->limits.connect * 1000));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->curl_error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_transfer);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, x);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    /* Signals are the program's own. */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* An interruption does not wait for a name server that does not answer. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static bool complete(const struct exchange *x)
{
    return x->request->complete && *x->request->complete;
}

/* RAG_OK while no limit of time has passed. */
static rag_status check_time(const struct exchange *x)
{
    const struct http_limits *limits = &x->request->limits;
    double now = clock_seconds();
    if (now - x->start > limits->total)
        return fail_with(x->error, RAG_NETWORK, "no end of the reply within %.0f seconds",
                         limits->total);
    double allowed = x->answered ? limits->idle : limits->first_byte;
    if (!x->sent || now - x->last_byte <= allowed)
        return RAG_OK;
    return fail_with(x->error, RAG_NETWORK,
                     x->answered ? "the server fell silent for %.0f seconds in its reply"
                                 : "no byte of a reply came within %.0f seconds",
                     allowed);
}

static bool is_lost(CURLcode code)
{
    switch (code) {
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

static rag_status explain(const struct exchange *x, CURLcode code)
{
    const char *detail = x->curl_error[0] ? x->curl_error : curl_easy_strerror(code);
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return fail_with(x->error, RAG_NETWORK, "no connection: is the server running? (%s)",
                         detail);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return fail_with(x->error, RAG_NETWORK,
                         "the host is not found: is there a network, and the name right? (%s)",
                         detail);
    case CURLE_OPERATION_TIMEDOUT:
        return fail_with(x->error, RAG_NETWORK, "no connection within %.0f seconds",
                         x->request->limits.connect);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
        return fail_with(x->error, RAG_NETWORK, "no trusted connection (%s)", detail);
    case CURLE_OUT_OF_MEMORY:
        return fail_memory(x->error);
    default:
        return fail_with(x->error, RAG_NETWORK, "%s (%s)",
                         is_lost(code) ? "the connection was lost" : "no reply", detail);
    }
}

/* The scheme and host of a URL: a path may hold anything, a user name too. */
static void copy_origin(const char *url, char *out, size_t size)
{
    char *scheme = NULL, *host = NULL;
    CURLU *parts = curl_url();
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        snprintf(out, size, "%s://%s", scheme, host);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
}

static rag_status conclude(struct exchange *x, CURLcode code)
{
    struct http_reply *reply = x->reply;
    curl_off_t wait = 0;
    char *location = NULL;
    read_head(x);
    curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &wait);
    curl_easy_getinfo(x->easy, CURLINFO_REDIRECT_URL, &location);
    reply->retry_after = wait > 0 ? (double)wait : 0; /* a date that is over is negative */
    if (location)
        copy_origin(location, reply->location, sizeof reply->location);
    if (x->status)
        return x->status;
    if (code == CURLE_OK || x->enough || complete(x))
        return RAG_OK;
    reply->lost = is_lost(code);
    return explain(x, code);
}

static rag_status run(struct exchange *x, CURLM *multi)
{
    for (;;) {
        int running = 0, left = 0;
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return fail_with(x->error, RAG_INTERNAL, "libcurl does not go on");
        CURLMsg *message = curl_multi_info_read(multi, &left);
        if (message && message->msg == CURLMSG_DONE)
            return conclude(x, message->data.result);
        if (event_progress(&x->request->events, "answering", "bytes", x->body_bytes, 0, NULL))
            return fail_with(x->error, RAG_INTERRUPTED, "interrupted");
        if (complete(x) && clock_seconds() - x->last_byte > x->request->grace)
            return conclude(x, CURLE_OK);
        rag_status status = check_time(x);
        if (status)
            return status;
        curl_multi_poll(multi, NULL, 0, POLL_MILLISECONDS, NULL);
    }
}

rag_status http_post(struct http *http, const struct http_request *request,
                     struct http_reply *reply, rag_error *error)
{
    *reply = (struct http_reply){.body = {.max = request->limits.bytes > HTTP_MAX_ERROR_BODY
                                                     ? request->limits.bytes
                                                     : HTTP_MAX_ERROR_BODY}};
    double now = clock_seconds();
    struct exchange x = {.request = request,
                         .reply = reply,
                         .easy = http->easy,
                         .start = now,
                         .last_byte = now,
                         .error = error};
    struct curl_slist *headers = NULL;
    rag_status status = RAG_OK;
    if (!make_headers(request, &headers)) {
        status = fail_memory(error);
        goto out;
    }
    prepare(&x, headers);
    if (curl_multi_add_handle(http->multi, http->easy) != CURLM_OK) {
        status = fail_with(error, RAG_INTERNAL, "libcurl does not start an exchange");
        goto out;
    }
    status = run(&x, http->multi);
    curl_multi_remove_handle(http->multi, http->easy);
out:
    /* The handle outlives what it was pointed to. */
    curl_easy_reset(http->easy);
    curl_slist_free_all(headers);
    return status;
}
