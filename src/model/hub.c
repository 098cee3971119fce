#include "model/hub.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_URL = 8192,
    MAX_REDIRECTS = 5,
    MAX_TRIES = 5, /* without a byte of progress between them */
    MAX_ERROR_BODY = 300,
    CONNECT_SECONDS = 15,
    IDLE_SECONDS = 60, /* without a byte from the server */
    HTTP_OK = 200,
    HTTP_PARTIAL = 206,
    HTTP_UNAUTHORIZED = 401,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_RANGE = 416,
    HTTP_TOO_MANY = 429,
};

double hub_first_wait = 0.5;
static const double EVENT_INTERVAL = 0.1;

struct hub {
    CURL *curl;
    char *base;
    char *token; /* NULL if none */
};

/* One GET, with its redirects. */
struct transfer {
    struct hub *hub;
    const struct events *events;
    /* Where the bytes go: one of these. */
    struct buf *buf;
    FILE *file;
    struct download *download; /* with file */
    uint64_t from;             /* bytes in the file before this transfer */
    uint64_t got;
    double next_event;
    char content_range[64];
    struct buf error_body;
    enum { FINE, INTERRUPTED, TOO_LONG, WRITE_FAILED, WRONG_RANGE } stopped;
};

static bool is_http(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0 || strncasecmp(url, "http://", 7) == 0;
}

rag_status hub_open(const char *base, struct hub **out, rag_error *error)
{
    const char *endpoint = getenv("HF_ENDPOINT"), *token = getenv("HF_TOKEN");
    if (!base || !*base)
        base = endpoint && *endpoint ? endpoint : HUB_DEFAULT;
    if (!is_http(base))
        return fail_with(error, RAG_USAGE,
                         "%s is not the address of a hub: it must begin with https:// or "
                         "http://",
                         base);
    struct hub *hub = alloc_zeroed(1, sizeof *hub);
    if (!hub)
        return fail_memory(error);
    hub->curl = curl_easy_init();
    hub->base = strdup(base);
    if (token && *token)
        hub->token = strdup(token);
    if (!hub->curl || !hub->base || (token && *token && !hub->token)) {
        hub_close(hub);
        return fail_memory(error);
    }
    size_t size = strlen(hub->base);
    while (size && hub->base[size - 1] == '/')
        hub->base[--size] = '\0';
    *out = hub;
    return RAG_OK;
}

void hub_close(struct hub *hub)
{
    if (!hub)
        return;
    curl_easy_cleanup(hub->curl);
    free(hub->base);
    free(hub->token);
    free(hub);
}

const char *hub_base(const struct hub *hub)
{
    return hub->base;
}

static CHECKED bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *x = NULL, *y = NULL;
    bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                strcasecmp(x, y) == 0;
    curl_free(x);
    curl_free(y);
    return same;
}

static bool same_origin(const char *a, const char *b)
{
    CURLU *x = curl_url(), *y = curl_url();
    bool same = x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
                curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK &&
                same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST) &&
                same_part(x, y, CURLUPART_PORT);
    curl_url_cleanup(x);
    curl_url_cleanup(y);
    return same;
}

static long response_code(const struct hub *hub)
{
    long code = 0;
    curl_easy_getinfo(hub->curl, CURLINFO_RESPONSE_CODE, &code);
    return code;
}

/* The value of a header that is named so, without what surrounds it. */
static bool header_value(const char *line, size_t size, const char *name, char *out,
                         size_t out_size)
{
    size_t name_size = strlen(name);
    if (size <= name_size || strncasecmp(line, name, name_size) != 0 || line[name_size] != ':')
        return false;
    line += name_size + 1;
    size -= name_size + 1;
    while (size && isspace((unsigned char)*line))
        line++, size--;
    while (size && isspace((unsigned char)line[size - 1]))
        size--;
    if (size >= out_size)
        return false;
    memcpy(out, line, size);
    out[size] = '\0';
    return true;
}

/* The hub tells a large file's SHA-256 as the ETag of what it links to. */
static size_t on_header(char *line, size_t one, size_t size, void *user)
{
    struct transfer *t = user;
    char value[128];
    (void)one;
    header_value(line, size, "Content-Range", t->content_range, sizeof t->content_range);
    if (t->download && header_value(line, size, "X-Linked-Etag", value, sizeof value)) {
        size_t begin = strspn(value, "\""), hex = strspn(value + begin, "0123456789abcdef");
        if (hex == HASH_HEX_SIZE - 1) {
            memcpy(t->download->sha256, value + begin, hex);
            t->download->sha256[hex] = '\0';
        }
    }
    return size;
}

/* The first bytes of an answer: does it go on where the file ends? */
static bool begin_body(struct transfer *t, long code)
{
    if (!t->file || t->from == 0)
        return code == HTTP_OK || (t->from == 0 && code == HTTP_PARTIAL);
    if (code == HTTP_OK) {
        t->from = 0;
        return fflush(t->file) == 0 && ftruncate(fileno(t->file), 0) == 0;
    }
    unsigned long long begin;
    return sscanf(t->content_range, "bytes %llu-", &begin) == 1 && begin == t->from;
}

static size_t on_body(char *data, size_t one, size_t size, void *user)
{
    struct transfer *t = user;
    (void)one;
    long code = response_code(t->hub);
    if (code != HTTP_OK && code != HTTP_PARTIAL) {
        size_t room = MAX_ERROR_BODY - t->error_body.size;
        if (!buf_append(&t->error_body, data, size < room ? size : room))
            t->error_body.size = 0;
        return size;
    }
    if (t->got == 0 && !begin_body(t, code)) {
        t->stopped = WRONG_RANGE;
        return 0;
    }
    t->got += size;
    if (t->buf) {
        if (!buf_append(t->buf, data, size))
            t->stopped = TOO_LONG;
    } else if (t->download->size && t->from + t->got > t->download->size) {
        t->stopped = TOO_LONG;
    } else if (fwrite(data, 1, size, t->file) != size) {
        t->stopped = WRITE_FAILED;
    }
    return t->stopped ? 0 : size;
}

static bool wants_stop(struct transfer *t)
{
    double now = clock_seconds();
    if (now < t->next_event)
        return false;
    t->next_event = now + EVENT_INTERVAL;
    const struct download *d = t->download;
    return event_progress(t->events, "downloading", "bytes", d ? d->done + t->from + t->got : 0,
                          d ? d->total : 0, d ? d->name : NULL);
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct transfer *t = user;
    (void)down_total, (void)down, (void)up_total, (void)up;
    if (!wants_stop(t))
        return 0;
    t->stopped = INTERRUPTED;
    return 1;
}

static void set_options(struct transfer *t, const char *url, char *message)
{
    CURL *curl = t->hub->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "rag/" RAG_VERSION);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)IDLE_SECONDS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    /* Not RESUME_FROM, which fails when a server sends the whole file instead. */
    char range[32];
    snprintf(range, sizeof range, "%llu-", (unsigned long long)t->from);
    if (t->from)
        curl_easy_setopt(curl, CURLOPT_RANGE, range);
    if (t->hub->token && same_origin(url, t->hub->base)) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, t->hub->token);
    }
}

/* Where an answer redirects to, to be freed; NULL if it does not. */
static rag_status read_redirect(struct hub *hub, const char *url, char **next, rag_error *error)
{
    char *target = NULL;
    *next = NULL;
    curl_easy_getinfo(hub->curl, CURLINFO_REDIRECT_URL, &target);
    if (!target)
        return RAG_OK;
    bool downgrade = strncasecmp(url, "https:", 6) == 0 && strncasecmp(target, "https:", 6);
    if (!is_http(target) || downgrade || strlen(target) > MAX_URL)
        return fail_with(error, RAG_NETWORK, "%s redirects to %.200s: refused", url, target);
    *next = strdup(target);
    return *next ? RAG_OK : fail_memory(error);
}

static rag_status http_failure(struct transfer *t, const char *url, long code, rag_error *error)
{
    int size = (int)t->error_body.size;
    const char *body = size ? t->error_body.data : "";
    switch (code) {
    case HTTP_UNAUTHORIZED:
    case HTTP_FORBIDDEN:
        return fail_with(error, RAG_NETWORK_AUTH,
                         "%s: HTTP %ld: no such model, or not for everyone: set HF_TOKEN to a "
                         "token that may read it %.*s",
                         url, code, size, body);
    case HTTP_NOT_FOUND:
        return fail_with(error, RAG_MODEL_MISSING, "%s: HTTP 404: the hub does not have it",
                         url);
    case HTTP_TOO_MANY:
        return fail_with(error, RAG_NETWORK_LIMIT,
                         "%s: HTTP 429: the hub asks to slow down; try again later", url);
    default:
        return fail_with(error, RAG_NETWORK, "%s: HTTP %ld %.*s", url, code, size, body);
    }
}

static rag_status transfer_failure(struct transfer *t, const char *url, CURLcode result,
                                   const char *message, rag_error *error)
{
    switch (t->stopped) {
    case INTERRUPTED:
        return fail_with(
            error, RAG_INTERRUPTED,
            "interrupted; what has been downloaded is kept, and the same call goes "
            "on from there");
    case TOO_LONG:
        return fail_with(error, RAG_NETWORK, "%s: longer than it may be", url);
    case WRITE_FAILED:
        return fail_errno(error, RAG_INPUT, "%s: cannot be written", t->download->path);
    case WRONG_RANGE:
        return fail_with(error, RAG_NETWORK, "%s: the server sent another part of the file",
                         url);
    case FINE:
        break;
    }
    return fail_with(error, RAG_NETWORK, "%s: %s", url,
                     *message ? message : curl_easy_strerror(result));
}

/* One try, with its redirects. *again: it may be worth another. */
static rag_status try_transfer(struct transfer *t, const char *url, bool *again,
                               rag_error *error)
{
    char *current = strdup(url), *next = NULL;
    rag_status status = current ? RAG_OK : fail_memory(error);
    *again = false;
    for (int hop = 0; !status; hop++) {
        char message[CURL_ERROR_SIZE] = "";
        set_options(t, current, message);
        CURLcode result = curl_easy_perform(t->hub->curl);
        long code = response_code(t->hub);
        if (result != CURLE_OK) {
            *again = (t->stopped == FINE || t->stopped == WRONG_RANGE) &&
                     result != CURLE_UNSUPPORTED_PROTOCOL && result != CURLE_URL_MALFORMAT &&
                     result != CURLE_PEER_FAILED_VERIFICATION;
            status = transfer_failure(t, current, result, message, error);
            break;
        }
        if ((status = read_redirect(t->hub, current, &next, error)))
            break;
        if (!next) {
            *again = code >= 500 || code == HTTP_TOO_MANY || code == HTTP_RANGE;
            if (code != HTTP_OK && code != HTTP_PARTIAL)
                status = http_failure(t, current, code, error);
            break;
        }
        if (hop == MAX_REDIRECTS)
            status =
                fail_with(error, RAG_NETWORK, "%s: more than %d redirects", url, MAX_REDIRECTS);
        free(current);
        current = next;
        next = NULL;
        buf_clear(&t->error_body);
    }
    free(current);
    free(next);
    return status;
}

/* Waits, asking twice a second whether to stop. */
static bool wait_or_stop(struct transfer *t, double seconds)
{
    const double end = clock_seconds() + seconds;
    while (clock_seconds() < end) {
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
        if (wants_stop(t))
            return true;
    }
    return false;
}

static rag_status file_position(struct transfer *t, rag_error *error)
{
    struct stat st;
    if (fflush(t->file) != 0 || fstat(fileno(t->file), &st) != 0)
        return fail_errno(error, RAG_INPUT, "%s", t->download->path);
    t->from = (uint64_t)st.st_size;
    return RAG_OK;
}

/* What the file has is not what the server goes on from: it begins anew. */
static bool restart_file(struct transfer *t)
{
    bool bad = t->stopped == WRONG_RANGE || response_code(t->hub) == HTTP_RANGE;
    t->stopped = FINE;
    return !bad || (t->file && ftruncate(fileno(t->file), 0) == 0);
}

static rag_status run_transfer(struct transfer *t, const char *url, rag_error *error)
{
    rag_status status;
    double wait = hub_first_wait;
    for (int tries = 1;; tries++) {
        bool again;
        t->got = 0;
        t->content_range[0] = '\0';
        if (t->buf)
            buf_clear(t->buf);
        buf_clear(&t->error_body);
        if (t->file && (status = file_position(t, error)))
            return status;
        status = try_transfer(t, url, &again, error);
        if (!status || !again || !restart_file(t))
            return status;
        if (t->got) {
            tries = 1;
            wait = hub_first_wait;
        }
        if (tries == MAX_TRIES)
            return status;
        if (wait_or_stop(t, wait)) {
            t->stopped = INTERRUPTED;
            return transfer_failure(t, url, CURLE_OK, "", error);
        }
        wait *= 2;
    }
}

rag_status hub_get(struct hub *hub, const char *url, const struct events *events,
                   struct buf *out, rag_error *error)
{
    struct transfer t = {
        .hub = hub, .events = events, .buf = out, .error_body = BUF_INIT(MAX_ERROR_BODY)};
    rag_status status = run_transfer(&t, url, error);
    buf_release(&t.error_body);
    return status;
}

static rag_status check_size(struct transfer *t, rag_error *error)
{
    rag_status status = file_position(t, error);
    if (!status && t->download->size && t->from != t->download->size)
        status = fail_with(error, RAG_NETWORK, "%s: %llu bytes came instead of %llu",
                           t->download->url, (unsigned long long)t->from,
                           (unsigned long long)t->download->size);
    return status;
}

rag_status hub_download(struct hub *hub, struct download *download, const struct events *events,
                        rag_error *error)
{
    struct transfer t = {.hub = hub,
                         .events = events,
                         .download = download,
                         .error_body = BUF_INIT(MAX_ERROR_BODY)};
    download->sha256[0] = '\0';
    t.file = fopen(download->path, "abe");
    if (!t.file)
        return fail_errno(error, RAG_INPUT, "%s: cannot be written", download->path);
    rag_status status = file_position(&t, error);
    /* Longer than the file: of no use. Whole: nothing to ask for. */
    if (!status && download->size && t.from > download->size) {
        if (ftruncate(fileno(t.file), 0) != 0)
            status = fail_errno(error, RAG_INPUT, "%s", download->path);
        t.from = 0;
    }
    if (!status && !(download->size && t.from == download->size))
        status = run_transfer(&t, download->url, error);
    if (!status)
        status = check_size(&t, error);
    if (!status && fsync(fileno(t.file)) != 0)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be written", download->path);
    if (fclose(t.file) != 0 && !status)
        status = fail_errno(error, RAG_INPUT, "%s: cannot be written", download->path);
    buf_release(&t.error_body);
    return status;
}
