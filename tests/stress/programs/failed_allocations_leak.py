"""Each action with each of its allocations failing, four times, in this process.

Argument: an empty folder. Prints for each action the number of its allocations.
"""

import gc

import allocations as a


def round_of(action):
    for k in range(10**6):
        a.prepare(action)
        a.libc.fail_at(k)
        a.forget_culprit()
        try:
            action()
            failed = False
        except Exception as error:
            failed = True
            if not a.says_so(error):
                context = k, a.asked_by(), error
                assert isinstance(error, SystemError) and a.asked_by() != a.OURS, context
        if k >= a.libc.allocations_stop() and not failed:
            return k


for action in (
    *(a.create, a.predict_proba, a.predict, a.predict_list),
    *(a.activations, a.save, a.copy_and_pickle),
):
    # glibc ends a process that has no memory for the thread-local variables of a library, when a
    # thread first looks at one. The pool has one: see OS_THREAD_LOCAL in csrc/machine/atomics.h.
    if action is not a.predict_proba:
        action()  # NumPy has others
    alive = []
    for _ in range(4):
        n = round_of(action)
        gc.collect()
        alive.append(a.libc.blocks_alive())
    assert alive[-1] <= alive[-2] <= alive[-3], (action.__name__, n, alive)
    print(n)
