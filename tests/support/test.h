/* test.h - what every test program includes: cmocka, and a way to check a status that
 * shows the error's message when it is another one. */
#ifndef RAG_TESTS_SUPPORT_TEST_H
#define RAG_TESTS_SUPPORT_TEST_H

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define assert_status(expected, call, error)                                                   \
    do {                                                                                       \
        rag_status got_ = (call);                                                              \
        if (got_ != (expected)) {                                                              \
            print_error("%s: \"%s\", expected \"%s\": %s\n", #call, rag_status_text(got_),     \
                        rag_status_text(expected), (error)->message);                          \
            fail_msg("wrong status");                                                          \
        }                                                                                      \
    } while (0)

#define assert_ok(call, error) assert_status(RAG_OK, call, error)

/* The message names what the user needs to know. */
#define assert_says(error, words)                                                              \
    do {                                                                                       \
        if (!strstr((error)->message, words)) {                                                \
            print_error("\"%s\" does not say \"%s\"\n", (error)->message, words);              \
            fail_msg("wrong message");                                                         \
        }                                                                                      \
    } while (0)

#endif
