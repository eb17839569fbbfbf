/* The description of a network behind sigmax_network. */
#ifndef SIGMAX_NETWORK_H
#define SIGMAX_NETWORK_H

#include "../engine.h"

struct sigmax_network {
    const struct sigmax_engine *engine;
    size_t real_size; /* 4 or 8 */
    struct sigmax_shape shape;
    size_t table[]; /* the arrays that shape points to, one after the other */
};

#endif
