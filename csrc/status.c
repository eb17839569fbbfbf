/* The one list of status codes and their sentences. */
#include "sigmax.h"

const char *sigmax_status_text(int status)
{
    switch (status) {
    case SIGMAX_OK:
        return "success";
    case SIGMAX_BAD_ARGUMENT:
        return "an argument is NULL, outside its range, given twice, or not one of the named constants";
    case SIGMAX_BAD_SIZES:
        return "sizes needs at least two layers of at least one neuron each, and two neurons in the last";
    case SIGMAX_TOO_LARGE:
        return "the sizes are too large: their memory cannot be counted in a size_t";
    case SIGMAX_OUT_OF_MEMORY:
        return "out of memory";
    case SIGMAX_BAD_LABEL:
        return "a label is outside 0 ... n_classes - 1";
    case SIGMAX_BAD_ORDER:
        return "an entry of order is not the number of a row";
    case SIGMAX_BAD_INSTRUCTION_SET:
        return "SIGMAX_ISA names an instruction set that is unknown, not available on this machine or left out by "
               "SIGMAX_WITHOUT, or SIGMAX_WITHOUT names baseline; change or unset these environment variables";
    case SIGMAX_DIVERGED:
        return "training diverged: a batch made the cost, a parameter or the optimiser's state infinite or NaN";
    case SIGMAX_NOT_FINITE:
        return "X holds an infinity or NaN";
    case SIGMAX_BAD_SPARSE:
        return "a sparse row starts or ends where it cannot, or has a column that the network does not have";
    case SIGMAX_NOT_A_NUMBER:
        return "an output is NaN: a parameter is infinite or NaN, or numbers are too large to be added up";
    default:
        return "unknown status";
    }
}
