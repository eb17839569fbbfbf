#include "instruction_set.h"

#include <string.h>

#include "../sigmax.h"
#include "environment.h"

/* The build names its instruction sets here, from the least to the most capable: X(baseline) X(v3) X(v4). */
#ifndef SIGMAX_INSTRUCTION_SETS
#define SIGMAX_INSTRUCTION_SETS X(baseline)
#endif

/* ---- what the processor and the operating system offer ----------------------------------------------------------- */

static inline int baseline_available(void)
{
    return 1;
}

#if defined(__x86_64__) || defined(_M_X64)

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static void cpuid(unsigned leaf, unsigned subleaf, unsigned r[4])
{
    int out[4];
    __cpuidex(out, (int)leaf, (int)subleaf);
    for (int i = 0; i < 4; i++) r[i] = (unsigned)out[i];
}
static unsigned long long xcr0(void)
{
    return _xgetbv(0);
}
#else
#include <cpuid.h>
static void cpuid(unsigned leaf, unsigned subleaf, unsigned r[4])
{
    if (!__get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3])) r[0] = r[1] = r[2] = r[3] = 0;
}
static unsigned long long xcr0(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (unsigned long long)high << 32 | low;
}
#endif

enum { EBX = 1, ECX = 2, EDX = 3 };

static int all_set(unsigned long long word, unsigned long long mask)
{
    return (word & mask) == mask;
}

/* x86-64-v3: AVX2, FMA, BMI1, BMI2, F16C, LZCNT, MOVBE, and an operating system that saves the ymm registers. */
static inline int v3_available(void)
{
    unsigned leaf1[4], leaf7[4], extended[4];
    cpuid(1, 0, leaf1);
    cpuid(7, 0, leaf7);
    cpuid(0x80000001u, 0, extended);
    /* FMA 12, MOVBE 22, POPCNT 23, OSXSAVE 27, AVX 28, F16C 29. XGETBV faults where OSXSAVE is not set. */
    const unsigned need1 = 1u << 12 | 1u << 22 | 1u << 23 | 1u << 27 | 1u << 28 | 1u << 29;
    const unsigned need7 = 1u << 3 | 1u << 5 | 1u << 8; /* BMI1, AVX2, BMI2 */
    return all_set(leaf1[ECX], need1) && all_set(leaf7[EBX], need7) && all_set(extended[ECX], 1u << 5) /* LZCNT */
           && all_set(xcr0(), 0x6);
}

/* x86-64-v4: v3, AVX-512 F, DQ, CD, BW and VL, and an operating system that saves zmm and mask registers. */
static inline int v4_available(void)
{
#if defined(__APPLE__)
    return 0; /* macOS saves zmm registers only after a first fault */
#else
    if (!v3_available()) return 0;
    unsigned leaf7[4];
    cpuid(7, 0, leaf7);
    return all_set(leaf7[EBX], 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31) && all_set(xcr0(), 0xE6);
#endif
}

#endif

/* ---- the list ---------------------------------------------------------------------------------------------------- */

#define X(name) extern const struct sigmax_engine sigmax_engine_f32_##name, sigmax_engine_f64_##name;
SIGMAX_INSTRUCTION_SETS
#undef X

static const struct {
    const char *name;
    int (*available)(void);
    const struct sigmax_engine *float32, *float64;
} sets[] = {
#define X(name) {#name, name##_available, &sigmax_engine_f32_##name, &sigmax_engine_f64_##name},
    SIGMAX_INSTRUCTION_SETS
#undef X
};

enum { N_SETS = sizeof sets / sizeof sets[0] };

/* CPUID is slow under a hypervisor, so each answer is kept: 0 not asked yet, 1 no, 2 yes. Two threads that ask at once
   store the same answer, so the order that atomics.h gives is not needed, nor windows.h, which it includes. */
static int answers[N_SETS];

#if defined(_MSC_VER) && !defined(__clang__)
#define load_answer(i) (*(volatile int *)&answers[i])
#define store_answer(i, value) (*(volatile int *)&answers[i] = (value))
#else
#define load_answer(i) __atomic_load_n(&answers[i], __ATOMIC_RELAXED)
#define store_answer(i, value) __atomic_store_n(&answers[i], value, __ATOMIC_RELAXED)
#endif

/* Whether SIGMAX_WITHOUT, names with commas or blanks between them, holds this one. Read anew each time, as SIGMAX_ISA
   is; the answers above are those of processor and system alone. */
static int left_out(const char *name)
{
    static const char between[] = ", \t";
    const size_t length = strlen(name);
    const char *list = environment_variable("SIGMAX_WITHOUT");
    while (list != NULL && *(list += strspn(list, between)) != '\0') {
        const size_t n = strcspn(list, between);
        if (n == length && memcmp(list, name, n) == 0) return 1;
        list += n;
    }
    return 0;
}

const char *sigmax_instruction_set_name(size_t i)
{
    return i < N_SETS ? sets[i].name : NULL;
}

int sigmax_instruction_set_available(size_t i)
{
    if (i >= N_SETS) return 0;
    int answer = load_answer(i);
    if (answer == 0) {
        answer = sets[i].available() ? 2 : 1;
        store_answer(i, answer);
    }
    return answer == 2 && (i == 0 || !left_out(sets[i].name)); /* the least one is always there */
}

int sigmax_choose_engine(const struct sigmax_engine **engine, int dtype)
{
    if (dtype != SIGMAX_FLOAT32 && dtype != SIGMAX_FLOAT64) return SIGMAX_BAD_ARGUMENT;
    const char *wanted = environment_variable("SIGMAX_ISA");
    if (wanted != NULL && wanted[0] == '\0') wanted = NULL;
    if (left_out(sets[0].name)) return SIGMAX_BAD_INSTRUCTION_SET;
    for (size_t i = N_SETS; i-- > 0;) {
        if (wanted != NULL && strcmp(wanted, sets[i].name) != 0) continue;
        if (!sigmax_instruction_set_available(i)) continue;
        *engine = dtype == SIGMAX_FLOAT32 ? sets[i].float32 : sets[i].float64;
        return SIGMAX_OK;
    }
    return SIGMAX_BAD_INSTRUCTION_SET;
}

const struct sigmax_engine *sigmax_least_engine(int dtype)
{
    return dtype == SIGMAX_FLOAT32 ? sets[0].float32 : dtype == SIGMAX_FLOAT64 ? sets[0].float64 : NULL;
}

const char *sigmax_compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#elif defined(_MSC_VER)
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
    return "MSVC " TEXT(_MSC_VER);
#else
    return "unknown";
#endif
}
