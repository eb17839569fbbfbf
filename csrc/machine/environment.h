/* Environment variables. A build with SIGMAX_NO_ENVIRONMENT has none: a module of WebAssembly would have to import them. */
#ifndef SIGMAX_ENVIRONMENT_H
#define SIGMAX_ENVIRONMENT_H

#include <stdlib.h>

/* The value of a variable, NULL where it is not set. */
static inline const char *environment_variable(const char *name)
{
#ifdef SIGMAX_NO_ENVIRONMENT
    (void)name;
    return NULL;
#else
    return getenv(name);
#endif
}

#endif
