"""The seeded generator in plain NumPy: Philox4x32-10, and what is made of its words.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). A block of four
32-bit words is a function of a counter (four words) and a key (64 bits), without any state.
"""

import numpy as np

PARAMETERS, PERMUTATION, DROPOUT = 1, 2, 3  # what a word is for: the streams of csrc/random.h

MASK_LANES = 16  # blocks side by side, each deciding on four neurons of a group
MASK_GROUP = 4 * MASK_LANES


def philox(counter, key):
    """Ten rounds; counter is four words, or arrays of words, and so is the answer."""
    low = np.uint64(2**32 - 1)
    c0, c1, c2, c3 = (np.asarray(c, np.uint64) for c in counter)
    k0, k1 = (int(key) & 0xFFFFFFFF, int(key) >> 32)
    for _ in range(10):
        product0, product1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0 = (product1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0)
        c2 = (product0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1)
        c1, c3 = product1 & low, product0 & low
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3))


def random_bits(seed, stream, sequence, n):
    """The first n 64-bit numbers of a sequence: each block gives two, low word first."""
    block = np.arange((n + 1) // 2, dtype=np.uint64)
    words = philox((block % 2**32, block >> np.uint64(32), sequence, stream), seed)
    pairs = words[[0, 2]] | words[[1, 3]] << np.uint64(32)
    return pairs.T.ravel()[:n]


def key_of(seed, counter):
    """A block's counter has room for 32 bits of an epoch or an update; the key takes the others."""
    return seed ^ ((counter >> 32) * 0x9E3779B97F4A7C15) % 2**64


def permutation(seed, epoch, n):
    """The shuffle of Fisher and Yates, inside out: row i changes places with a row at or before."""
    order = []
    for i, bits in enumerate(random_bits(key_of(seed, epoch), PERMUTATION, epoch % 2**32, n)):
        j = int(bits) * (i + 1) >> 64
        order.append(i)
        order[i], order[j] = order[j], i
    return np.array(order)


def dropout_mask(seed, step, layer, row, p, n):
    """1 for each of n neurons that stays, 0 for those left out: where a word is below p 2^32.

    row is a number, for a mask (n,), or a column of numbers, for a mask of each.
    """
    neuron = np.arange(n)
    group, place = neuron // MASK_GROUP, neuron % MASK_GROUP
    block = group * MASK_LANES + place % MASK_LANES
    words = philox((block, row, step % 2**32, DROPOUT + (layer << 8)), key_of(seed, step))
    word, least = words[place // MASK_LANES, ..., neuron].T, int(p * 2**32)
    return (word >= least).astype(np.uint8)
