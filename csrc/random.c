#include "random.h"

#include <math.h>
#include <string.h>

#include "sigmax.h"

/* ---- Philox4x32-10 --------------------------------------------------------------------------------------------- */

/* Multipliers and the steps of the key's two words: of the golden ratio, and of sqrt(3) - 1. */
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

static void philox(const uint32_t counter[4], uint64_t key, uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)PHILOX_M0 * c0;
        const uint64_t p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

enum { PHILOX_LANES = 16 };

/* The same for blocks side by side, in vectors: out[w][lane] = word w of the block whose counter is (first + lane,
   second, third, fourth). */
static void philox_lanes(uint32_t first, uint32_t second, uint32_t third, uint32_t fourth, uint64_t key,
                         uint32_t out[4][PHILOX_LANES])
{
    uint32_t *restrict c0 = out[0], *restrict c1 = out[1], *restrict c2 = out[2], *restrict c3 = out[3];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (uint32_t i = 0; i < PHILOX_LANES; i++) c0[i] = first + i, c1[i] = second, c2[i] = third, c3[i] = fourth;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < PHILOX_LANES; i++) {
            const uint64_t p0 = (uint64_t)PHILOX_M0 * c0[i], p1 = (uint64_t)PHILOX_M1 * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)p0;
        }
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
}

/* One block of Philox gives two 64-bit numbers: those of index 2i and 2i + 1. */
static void random_pair(uint64_t seed, enum sigmax_stream stream, uint32_t counter, uint64_t pair, uint64_t out[2])
{
    const uint32_t position[4] = {(uint32_t)pair, (uint32_t)(pair >> 32), counter, (uint32_t)stream};
    uint32_t words[4];
    philox(position, seed, words);
    out[0] = (uint64_t)words[1] << 32 | words[0];
    out[1] = (uint64_t)words[3] << 32 | words[2];
}

/* 64 uniformly distributed bits; counter separates sequences (an epoch, say) within a stream. */
static uint64_t random_bits(uint64_t seed, enum sigmax_stream stream, uint32_t counter, uint64_t index)
{
    uint64_t pair[2];
    random_pair(seed, stream, counter, index / 2, pair);
    return pair[index % 2];
}

double sigmax_random_uniform(uint64_t seed, enum sigmax_stream stream, uint64_t index)
{
    const uint64_t bits = random_bits(seed, stream, 0, index) >> 11;
    return ((double)bits + 0.5) * 0x1p-53;
}

/* ---- the normal distribution ----------------------------------------------------------------------------------- */

/* ln x for 0 < x < 1: x = m 2^e with m in [1/sqrt 2, sqrt 2), and ln m = 2 artanh((m - 1)/(m + 1)) as its power series,
   whose next term would be below 1e-17. libm's logarithm differs between platforms in the last place. */
static double natural_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFu) | (uint64_t)1023 << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    const double s = (m - 1.0) / (m + 1.0), s2 = s * s;
    double series = 0.0;
    for (int k = 23; k >= 1; k -= 2) series = series * s2 + 1.0 / k;
    return 0.6931471805599453 * exponent + 2.0 * s * series;
}

static double polynomial(const double coefficients[8], double x)
{
    double value = coefficients[7];
    for (int i = 6; i >= 0; i--) value = value * x + coefficients[i];
    return value;
}

/* The z with P(Z < z) = p: AS 241's three rational approximations, by the distance from 1/2. */
static double normal_quantile(double p)
{
    /* clang-format off */
    static const double a[8] = {3.3871328727963666080e0,  1.3314166789178437745e2, 1.9715909503065514427e3,
                                1.3731693765509461125e4,  4.5921953931549871457e4, 6.7265770927008700853e4,
                                3.3430575583588128105e4,  2.5090809287301226727e3};
    static const double b[8] = {1.0,                      4.2313330701600911252e1, 6.8718700749205790830e2,
                                5.3941960214247511077e3,  2.1213794301586595867e4, 3.9307895800092710610e4,
                                2.8729085735721942674e4,  5.2264952788528545610e3};
    static const double c[8] = {1.42343711074968357734e0, 4.63033784615654529590e0,  5.76949722146069140550e0,
                                3.64784832476320460504e0, 1.27045825245236838258e0,  2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1.0,                      2.05319162663775882187e0,  1.67638483018380384940e0,
                                6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2,
                                5.47593808499534494600e-4, 1.05075007164441684324e-9};
    static const double e[8] = {6.65790464350110377720e0, 5.46378491116411436990e0,  1.78482653991729133580e0,
                                2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[8] = {1.0,                      5.99832206555887937690e-1, 1.36929880922735805310e-1,
                                1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
                                1.42151175831644588870e-7, 2.04426310338993978564e-15};
    /* clang-format on */
    const double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(a, r) / polynomial(b, r);
    }
    double r = sqrt(-natural_log(q < 0.0 ? p : 1.0 - p));
    double z;
    if (r <= 5.0) {
        r -= 1.6;
        z = polynomial(c, r) / polynomial(d, r);
    } else {
        r -= 5.0;
        z = polynomial(e, r) / polynomial(f, r);
    }
    return q < 0.0 ? -z : z;
}

double sigmax_random_normal(uint64_t seed, enum sigmax_stream stream, uint64_t index)
{
    return normal_quantile(sigmax_random_uniform(seed, stream, index));
}

/* ---- permutations ---------------------------------------------------------------------------------------------- */

/* The high 64 bits of a * b. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    const uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    const uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    return a1 * b1 + (middle >> 32) + ((a0 * b1 + (uint32_t)middle) >> 32);
}

/* Uniform in 0 ... n-1 from 64 random bits. The bias is n / 2^64, below what any number of epochs could show, and the
   price of removing it would be an unpredictable number of draws. */
static size_t below(uint64_t bits, size_t n)
{
    return (size_t)multiply_high(bits, n);
}

/* A block's 32-bit counter holds the low word of an epoch or an update; the key takes the high word, so that all 64
   bits count. */
static uint64_t key_with_high_word(uint64_t seed, uint64_t counter)
{
    return seed ^ (counter >> 32) * 0x9E3779B97F4A7C15u;
}

/* Fisher and Yates's shuffle, inside out, so that order needs no first pass to fill it. Entry i takes the 64 bits of
   index i, as random_bits gives them. */
void sigmax_permutation(uint64_t seed, uint64_t epoch, size_t *order, size_t n)
{
    const uint64_t key = key_with_high_word(seed, epoch);
    for (size_t begin = 0; begin < n; begin += 2 * PHILOX_LANES) {
        const uint64_t block = begin / 2;
        const size_t end = n - begin < 2 * PHILOX_LANES ? n : begin + 2 * PHILOX_LANES;
        uint32_t words[4][PHILOX_LANES];
        philox_lanes((uint32_t)block, (uint32_t)(block >> 32), (uint32_t)epoch, SIGMAX_STREAM_PERMUTATION, key, words);
        for (size_t i = begin; i < end; i++) {
            const size_t lane = (i - begin) / 2, low = i % 2 * 2;
            const size_t j = below((uint64_t)words[low + 1][lane] << 32 | words[low][lane], i + 1);
            order[i] = order[j];
            order[j] = i;
        }
    }
}

/* ---- dropout masks ---------------------------------------------------------------------------------------------- */

/*
 * A row's neurons are taken in groups of 4 * PHILOX_LANES. Philox's block g * PHILOX_LANES + lane decides, with its
 * word w, on neuron w * PHILOX_LANES + lane of group g.
 */
enum { MASK_GROUP = 4 * PHILOX_LANES };

void sigmax_dropout_mask_from(uint64_t seed, uint64_t step, size_t layer, size_t row, double p, size_t first,
                              uint8_t *keep, size_t n)
{
    const uint64_t key = key_with_high_word(seed, step);
    /* words below it are dropped; NaN drops nothing */
    const uint64_t threshold = p > 0.0 ? (uint64_t)((p < 1.0 ? p : 1.0) * 0x1p32) : 0;
    const uint32_t use = SIGMAX_STREAM_DROPOUT + ((uint32_t)layer << 8);
    for (size_t begin = 0; begin < n; begin += MASK_GROUP) {
        const uint32_t block = (uint32_t)((first + begin) / MASK_GROUP * PHILOX_LANES);
        const size_t left = n - begin < MASK_GROUP ? n - begin : MASK_GROUP;
        uint32_t words[4][PHILOX_LANES];
        uint8_t group[4][PHILOX_LANES];
        philox_lanes(block, (uint32_t)row, (uint32_t)step, use, key, words);
        for (int w = 0; w < 4; w++) {
            for (int i = 0; i < PHILOX_LANES; i++) group[w][i] = words[w][i] >= threshold;
        }
        memcpy(keep + begin, group, left);
    }
}

void sigmax_dropout_mask(uint64_t seed, uint64_t step, size_t layer, size_t row, double p, uint8_t *keep, size_t n)
{
    sigmax_dropout_mask_from(seed, step, layer, row, p, 0, keep, n);
}
