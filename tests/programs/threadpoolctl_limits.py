"""What threadpoolctl sees of the pool, and limits.

Arguments: two modules, imported in this order, and "register" to register the pool by hand. Prints,
as JSON, the numbers of threads within each limit.
"""

import importlib
import json
import sys

for name in sys.argv[1:3]:
    importlib.import_module(name)

import sigmax  # noqa: E402
import threadpoolctl  # noqa: E402

if sys.argv[3] == "register":
    sigmax.register_threadpoolctl()


def pool():
    infos = threadpoolctl.threadpool_info()
    return [i["num_threads"] for i in infos if i["internal_api"] == "sigmax"]


seen = [pool()]
with sigmax.num_threads(3):
    seen.append(pool())
    with threadpoolctl.threadpool_limits(1):
        seen.append([sigmax.get_num_threads()])
    seen.append([sigmax.get_num_threads()])
    with threadpoolctl.threadpool_limits(2, user_api="sigmax"):
        seen.append(pool())
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        seen.append(pool())
print(json.dumps(seen))
