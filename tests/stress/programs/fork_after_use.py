"""A process forks after it has used its threads."""

from wide_network import bits, child_agrees, expected

assert bits() == expected
assert child_agrees() == 0
assert bits() == expected
