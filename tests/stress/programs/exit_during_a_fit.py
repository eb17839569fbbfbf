"""The interpreter ends while another thread trains. Arguments: "daemon" or "waits", seconds."""

import sys
import threading
import time

from wide_network import X, network, y

daemon = sys.argv[1] == "daemon"


def trains():
    epochs = 10**6 if daemon else 3
    network.fit(X, y, epochs=epochs, batch_size=500, learning_rate=1e-3)


threading.Thread(target=trains, daemon=daemon).start()
time.sleep(float(sys.argv[2]))
