"""Several networks as one: `fold` joins trained ones, `bag` trains those that it joins."""
