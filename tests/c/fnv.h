/* FNV-1a, 64 bits: a number that changes when any byte of a result does. */
#ifndef SIGMAX_FNV_H
#define SIGMAX_FNV_H

#include <stddef.h>
#include <stdint.h>

static const uint64_t FNV_OF_NOTHING = 0xCBF29CE484222325u;

static inline uint64_t fnv(uint64_t hash, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001B3u;
    return hash;
}

#endif
