/* Fetching: which addresses are of the public internet, and that each redirect is checked by
 * the address that is connected to. Arguments: Python, fetch_server.py. */
#include "support/child.h"
#include "support/test.h"

#include "pipeline/fetch.h"

#include <arpa/inet.h>
#include <stdlib.h>

static struct child server;

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return fetch_is_public((struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return fetch_is_public((struct sockaddr *)&v6);
}

static void only_public_addresses_are_public(void **state)
{
    (void)state;
    static const char *const private[] = {"0.0.0.0",
                                          "0.1.2.3",
                                          "10.0.0.1",
                                          "10.255.255.255",
                                          "100.64.0.1",
                                          "100.127.255.255",
                                          "127.0.0.1",
                                          "127.255.255.254",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.0.0.1",
                                          "192.0.2.1",
                                          "192.88.99.1",
                                          "192.168.1.1",
                                          "198.18.0.1",
                                          "198.19.255.255",
                                          "198.51.100.7",
                                          "203.0.113.7",
                                          "224.0.0.1",
                                          "239.255.255.255",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "::ffff:127.0.0.1",
                                          "::ffff:10.0.0.1",
                                          "64:ff9b::a00:1",
                                          "64:ff9b:1::1",
                                          "100::1",
                                          "2001::1",
                                          "2001:db8::1",
                                          "2002:a00:1::1",
                                          "2002:7f00:1::",
                                          "3fff::1",
                                          "fc00::1",
                                          "fd12:3456::1",
                                          "fe80::1",
                                          "fec0::1",
                                          "ff02::1",
                                          "::127.0.0.1",
                                          "4000::1"};
    static const char *const public[] = {
        "1.1.1.1",        "9.255.255.255",   "11.0.0.1",         "100.63.255.255",
        "100.128.0.1",    "126.255.255.255", "128.0.0.1",        "130.89.148.77",
        "172.15.255.255", "172.32.0.1",      "192.167.255.255",  "192.169.0.1",
        "198.17.255.255", "223.255.255.255", "2001:470::1",      "2a04:4e42::644",
        "2606:4700::1",   "::ffff:1.1.1.1",  "64:ff9b::101:101", "2002:101:101::1"};
    for (size_t i = 0; i < sizeof private / sizeof *private; i++)
        if (is_public(private[i]))
            fail_msg("%s is taken for public", private[i]);
    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        if (!is_public(public[i]))
            fail_msg("%s is not taken for public", public[i]);
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(fetch_is_public(&local));
}

/* Stands for the internet in these tests: 127.0.0.1 is in it, 127.0.0.2 is not. */
static bool is_first(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    memcpy(&v4, address, sizeof v4);
    return address->sa_family == AF_INET && v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

static rag_status get(const char *host, const char *path,
                      bool (*allowed)(const struct sockaddr *), struct buf *out,
                      rag_error *error)
{
    char url[512];
    snprintf(url, sizeof url, "http://%s:%d%s", host, server.port, path);
    struct events none = {0};
    buf_clear(out);
    return fetch(url, allowed, &none, out, error);
}

static void redirects_are_followed_where_they_may_lead(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(FETCH_MAX_BYTES);
    char path[200];
    rag_error error;
    assert_ok(get("127.0.0.1", "/page", is_first, &out, &error), &error);
    assert_non_null(strstr(out.data, "From 127.0.0.1"));
    assert_ok(get("127.0.0.1", "/to?/page", is_first, &out, &error), &error);
    assert_non_null(strstr(out.data, "From 127.0.0.1"));
    assert_status(RAG_NETWORK, get("127.0.0.2", "/page", is_first, &out, &error), &error);
    assert_says(&error, "private network");
    snprintf(path, sizeof path, "/to?http://127.0.0.2:%d/page", server.port);
    assert_status(RAG_NETWORK, get("127.0.0.1", path, is_first, &out, &error), &error);
    assert_says(&error, "http://127.0.0.2");
    assert_true(out.size == 0);
    assert_status(RAG_NETWORK,
                  get("127.0.0.1", "/to?file:///etc/passwd", is_first, &out, &error), &error);
    assert_status(RAG_NETWORK, get("127.0.0.1", "/loop", is_first, &out, &error), &error);
    assert_status(RAG_NETWORK, get("127.0.0.1", "/none", is_first, &out, &error), &error);
    assert_says(&error, "status 404");
    buf_release(&out);
}

static void names_of_this_machine_lead_nowhere(void **state)
{
    (void)state;
    static const char *const hosts[] = {
        "127.0.0.1",  "localhost",          "0.0.0.0", "2130706433",
        "0x7f000001", "[::ffff:127.0.0.1]", "127.1",   "user:password@127.0.0.1"};
    struct buf out = BUF_INIT(FETCH_MAX_BYTES);
    rag_error error;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        assert_status(RAG_NETWORK, get(hosts[i], "/page", fetch_is_public, &out, &error),
                      &error);
        assert_true(out.size == 0);
    }
    struct events none = {0};
    assert_status(RAG_USAGE, fetch("file:///etc/passwd", fetch_is_public, &none, &out, &error),
                  &error);
    assert_status(RAG_USAGE, fetch("", fetch_is_public, &none, &out, &error), &error);
    buf_release(&out);
}

static void a_proxy_of_the_environment_is_not_asked(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(FETCH_MAX_BYTES);
    rag_error error;
    char proxy[64];
    snprintf(proxy, sizeof proxy, "http://127.0.0.2:%d", server.port);
    assert_int_equal(setenv("http_proxy", proxy, 1), 0);
    assert_ok(get("127.0.0.1", "/page", is_first, &out, &error), &error);
    assert_non_null(strstr(out.data, "From 127.0.0.1"));
    unsetenv("http_proxy");
    buf_release(&out);
}

static void what_never_ends_is_too_much(void **state)
{
    (void)state;
    struct buf out = BUF_INIT((size_t)2 * FETCH_MAX_BYTES);
    rag_error error;
    assert_status(RAG_NETWORK, get("127.0.0.1", "/endless", is_first, &out, &error), &error);
    assert_says(&error, "more than");
    buf_release(&out);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *const command[] = {argv[1], argv[2], NULL};
    if (child_start(&server, command) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_public_addresses_are_public),
        cmocka_unit_test(redirects_are_followed_where_they_may_lead),
        cmocka_unit_test(names_of_this_machine_lead_nowhere),
        cmocka_unit_test(a_proxy_of_the_environment_is_not_asked),
        cmocka_unit_test(what_never_ends_is_too_much),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    child_stop(&server);
    return failed;
}
