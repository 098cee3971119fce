#include "pipeline/fetch.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- Addresses -------------------------------------------------------------- */

/* IANA's registries of special-purpose addresses; nothing of these is on the internet. */
static bool is_public_v4(uint32_t address)
{
    static const struct {
        uint32_t network;
        unsigned bits;
    } special[] = {
        {0x00000000, 8},  /* this network */
        {0x0A000000, 8},  /* private */
        {0x64400000, 10}, /* shared by a provider's customers */
        {0x7F000000, 8},  /* this machine */
        {0xA9FE0000, 16}, /* link; clouds' metadata */
        {0xAC100000, 12}, /* private */
        {0xC0000000, 24}, /* protocols */
        {0xC0000200, 24}, /* documentation */
        {0xC0586300, 24}, /* relays from IPv6 */
        {0xC0A80000, 16}, /* private */
        {0xC6120000, 15}, /* benchmarks */
        {0xC6336400, 24}, /* documentation */
        {0xCB007100, 24}, /* documentation */
        {0xE0000000, 4},  /* groups */
        {0xF0000000, 4},  /* reserved, broadcast */
    };
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if ((address ^ special[i].network) >> (32 - special[i].bits) == 0)
            return false;
    return true;
}

static uint32_t v4_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           bytes[3];
}

static bool is_public_v6(const unsigned char bytes[16])
{
    static const unsigned char nat64[12] = {0x00, 0x64, 0xFF, 0x9B};
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (memcmp(bytes, mapped, sizeof mapped) == 0 || memcmp(bytes, nat64, sizeof nat64) == 0)
        return is_public_v4(v4_at(bytes + 12));
    if (bytes[0] == 0x20 && bytes[1] == 0x02) /* 6to4 */
        return is_public_v4(v4_at(bytes + 2));
    /* Only 2000::/3 is given out; of it Teredo, documentation and tests are not the internet.
     */
    if ((bytes[0] & 0xE0) != 0x20)
        return false;
    bool protocols = bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 0x02;
    bool documentation =
        (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0D && bytes[3] == 0xB8) ||
        (bytes[0] == 0x3F && bytes[1] == 0xFF && (bytes[2] & 0xF0) == 0);
    return !protocols && !documentation;
}

bool fetch_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return is_public_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        return is_public_v6(v6.sin6_addr.s6_addr);
    }
    return false;
}

/* ---- The transfer ----------------------------------------------------------- */

struct transfer {
    bool (*allowed)(const struct sockaddr *);
    const struct events *events;
    struct buf *out;
    size_t before; /* bytes of out that were there */
    const char *url;
    enum { FINE, FORBIDDEN, TOO_MUCH, INTERRUPTED } stopped;
};

/* The address that is checked is the one of the socket: between the two lies nothing. */
static curl_socket_t open_socket(void *user, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    struct transfer *t = user;
    if (purpose != CURLSOCKTYPE_IPCXN || !t->allowed(&address->addr)) {
        t->stopped = FORBIDDEN;
        return CURL_SOCKET_BAD;
    }
    t->stopped = FINE;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take(char *data, size_t one, size_t size, void *user)
{
    (void)one;
    struct transfer *t = user;
    if (t->out->size - t->before + size > FETCH_MAX_BYTES || !buf_append(t->out, data, size)) {
        t->stopped = TOO_MUCH;
        return 0;
    }
    return size;
}

static int progress(void *user, curl_off_t total, curl_off_t done, curl_off_t up_total,
                    curl_off_t up_done)
{
    (void)up_total, (void)up_done;
    struct transfer *t = user;
    if (!event_progress(t->events, "fetching", "bytes", (uint64_t)done, (uint64_t)total,
                        t->url))
        return 0;
    t->stopped = INTERRUPTED;
    return 1;
}

static bool set_options(CURL *curl, struct transfer *t)
{
    bool ok = curl_easy_setopt(curl, CURLOPT_URL, t->url) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)FETCH_MAX_REDIRECTS) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &=
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)FETCH_CONNECT_SECONDS) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)FETCH_MOST_SECONDS) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)FETCH_IDLE_SECONDS) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)FETCH_MAX_BYTES) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_USERAGENT, "rag/" RAG_VERSION) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, t) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_WRITEDATA, t) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    return ok;
}

static rag_status fail_transfer(CURL *curl, const struct transfer *t, CURLcode code,
                                rag_error *error)
{
    const char *at = NULL;
    long answer = 0;
    curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &at);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
    if (t->stopped == INTERRUPTED)
        return fail_with(error, RAG_INTERRUPTED, "interrupted while fetching");
    if (t->stopped == FORBIDDEN)
        return fail_with(error, RAG_NETWORK,
                         "%.200s is at an address of this machine or of a private network, "
                         "from which nothing is fetched",
                         at ? at : t->url);
    if (t->stopped == TOO_MUCH || code == CURLE_FILESIZE_EXCEEDED)
        return fail_with(error, RAG_NETWORK, "more than %d bytes", FETCH_MAX_BYTES);
    if (code == CURLE_HTTP_RETURNED_ERROR)
        return fail_with(error, RAG_NETWORK, "the server answered with status %ld", answer);
    return fail_with(error, RAG_NETWORK, "%s", curl_easy_strerror(code));
}

rag_status fetch(const char *url, bool (*allowed)(const struct sockaddr *),
                 const struct events *events, struct buf *out, rag_error *error)
{
    if (strncasecmp(url, "https://", 8) != 0 && strncasecmp(url, "http://", 7) != 0)
        return fail_with(
            error, RAG_USAGE,
            "%.200s is no address to fetch: it must begin with https:// or http://", url);
    CURL *curl = curl_easy_init();
    struct transfer t = {
        .allowed = allowed, .events = events, .out = out, .before = out->size, .url = url};
    if (!curl || !set_options(curl, &t)) {
        curl_easy_cleanup(curl);
        return fail_with(error, RAG_INTERNAL, "libcurl does not do what it is asked for");
    }
    CURLcode code = curl_easy_perform(curl);
    rag_status status = RAG_OK;
    if (code != CURLE_OK)
        status =
            fail_within(error, fail_transfer(curl, &t, code, error), "fetching %.200s", url);
    curl_easy_cleanup(curl);
    return status;
}
