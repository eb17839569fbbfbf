"""What follows the gradient, in plain NumPy: six optimisers, in the form of PyTorch's.

Each takes w (the parameters, one flat array), g (dC/dw, in which penalties are contained), its
state (arrays like w, zero before the first update), t = 1, 2, ... (the number of the update), the
numbers of a `Training`, and is_weight (1 for weights, 0 for biases). It gives the new w and state.
"""

import numpy as np


def sgd(w, g, state, t, o, is_weight):
    """w <- w - eta g."""
    return w - o.learning_rate * g, ()


def momentum(w, g, state, t, o, is_weight):
    """v <- mu v + g;  w <- w - eta v."""
    (v,) = state
    v = o.momentum * v + g
    return w - o.learning_rate * v, (v,)


def nesterov(w, g, state, t, o, is_weight):
    """v <- mu v + g;  w <- w - eta (g + mu v)."""
    (v,) = state
    v = o.momentum * v + g
    return w - o.learning_rate * (g + o.momentum * v), (v,)


def rmsprop(w, g, state, t, o, is_weight):
    """v <- rho v + (1 - rho) g^2;  w <- w - eta g / (sqrt(v) + epsilon)."""
    (v,) = state
    v = o.rho * v + (1.0 - o.rho) * g**2
    return w - o.learning_rate * g / (np.sqrt(v) + o.epsilon), (v,)


def adam(w, g, state, t, o, is_weight):
    """Kingma and Ba (2014): the means of g and g^2, each without its bias towards zero.

    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;
    w <- w - eta m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
    """
    m, v = state
    m = o.beta1 * m + (1.0 - o.beta1) * g
    v = o.beta2 * v + (1.0 - o.beta2) * g**2
    m_hat, v_hat = m / (1.0 - o.beta1**t), v / (1.0 - o.beta2**t)
    return w - o.learning_rate * m_hat / (np.sqrt(v_hat) + o.epsilon), (m, v)


def adamw(w, g, state, t, o, is_weight):
    """Loshchilov and Hutter (2017): w <- w - eta lambda w, then Adam, whose g knows no decay."""
    decayed = w - o.learning_rate * o.weight_decay * w * is_weight
    return adam(decayed, g, state, t, o, is_weight)


# In the order of sigmax_optimizer, with the number of arrays in its state.
OPTIMIZERS = {
    "sgd": (sgd, 0),
    "momentum": (momentum, 1),
    "nesterov": (nesterov, 1),
    "rmsprop": (rmsprop, 1),
    "adam": (adam, 2),
    "adamw": (adamw, 2),
}


def new_state(optimizer, n_parameters):
    """The state before the first update."""
    return tuple(np.zeros(n_parameters) for _ in range(OPTIMIZERS[optimizer][1]))
