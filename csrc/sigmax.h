/* The public header for C and C++: sigmax_api.h, which says it all, within guards. */
#ifndef SIGMAX_H
#define SIGMAX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "sigmax_api.h"

#ifdef __cplusplus
}
#endif

#endif
