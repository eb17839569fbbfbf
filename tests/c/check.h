/*
 * The least that a test program needs.
 *
 *     CHECK(a == b, "a = %d, expected %d", a, b);      counts; prints file, line and message when it does not hold
 *     return CHECK_DONE();                             prints "N passed, N failed"; the exit status of main
 *
 * The counters are plain: use CHECK from one thread of a program.
 */
#ifndef SIGMAX_CHECK_H
#define SIGMAX_CHECK_H

#include <stdio.h>

static long check_passed, check_failed;

#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (condition) {                                                                                               \
            check_passed++;                                                                                            \
        } else {                                                                                                       \
            check_failed++;                                                                                            \
            printf("%s:%d: %s: ", __FILE__, __LINE__, #condition);                                                     \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
            fflush(stdout);                                                                                            \
        }                                                                                                              \
    } while (0)

/* A program that checked nothing has failed too. */
#define CHECK_DONE()                                                                                                   \
    (printf("%ld passed, %ld failed\n", check_passed, check_failed), check_failed != 0 || check_passed == 0)

#endif
