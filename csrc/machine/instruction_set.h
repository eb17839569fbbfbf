/* Which instruction sets this build has, which of them this machine can run, and the choice among them. */
#ifndef SIGMAX_INSTRUCTION_SET_H
#define SIGMAX_INSTRUCTION_SET_H

#include <stddef.h>

/* All arithmetic of one precision on one instruction set, see engine.h. Here its address counts, and no more. */
struct sigmax_engine;

/*
 * *engine = the engine for dtype (SIGMAX_FLOAT32 or SIGMAX_FLOAT64) in the set that SIGMAX_ISA names, else in the most
 * capable one that is available; those that SIGMAX_WITHOUT names are not. SIGMAX_BAD_ARGUMENT for another dtype,
 * SIGMAX_BAD_INSTRUCTION_SET when SIGMAX_ISA names a set that is unknown or not available, or SIGMAX_WITHOUT the least.
 */
int sigmax_choose_engine(const struct sigmax_engine **engine, int dtype);

/* The engine for dtype that every machine can run, whatever SIGMAX_ISA and SIGMAX_WITHOUT say; NULL for another
   dtype. */
const struct sigmax_engine *sigmax_least_engine(int dtype);

#endif
