/* Every engine table that this machine can run, in both precisions; those of one instruction set where SIGMAX_ISA names
   it. Sets that are not there are named on the line of the verdict. Afterwards SIGMAX_ISA names the last one. setenv
   must be declared (_GNU_SOURCE). */
#ifndef SIGMAX_ENGINES_H
#define SIGMAX_ENGINES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine.h"
#include "machine/instruction_set.h"

struct table {
    const struct sigmax_engine *engine;
    int dtype;
};

static struct table tables[16];
static size_t n_tables;

static void find_tables(void)
{
    static const int both[] = {SIGMAX_FLOAT32, SIGMAX_FLOAT64};
    const char *const only = getenv("SIGMAX_ISA");
    const char *name;
    for (size_t i = 0; (name = sigmax_instruction_set_name(i)) != NULL; i++) {
        if (only != NULL && strcmp(only, name) != 0) continue;
        if (!sigmax_instruction_set_available(i)) {
            printf("without %s; ", name);
            continue;
        }
        setenv("SIGMAX_ISA", name, 1);
        for (size_t d = 0; d < 2; d++) {
            struct table *const table = &tables[n_tables++];
            table->dtype = both[d];
            const int status = sigmax_choose_engine(&table->engine, both[d]);
            CHECK(status == SIGMAX_OK, "%s: %s", name, sigmax_status_text(status));
            CHECK(strcmp(table->engine->instruction_set, name) == 0, "%s, expected %s", table->engine->instruction_set,
                  name);
        }
    }
    CHECK(n_tables >= 2, "%zu tables", n_tables);
}

#endif
