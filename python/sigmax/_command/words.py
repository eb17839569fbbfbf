"""How the shell calls the options of training: learning_rate is --learning-rate."""

from __future__ import annotations

from sigmax._training.options import OPTIONS
from sigmax.errors import NO_VALUE, Change, Mention, Words


def flag(name: str) -> str:
    """Return the flag for an option of training.

    Examples
    --------
    >>> flag("learning_rate")
    '--learning-rate'
    """
    return "--" + name.replace("_", "-")


# flags of arguments that are no options of training
_OTHERS = {
    "n_networks": "--networks",
    **{name: flag(name) for name in ("repeats", "calibrate", "hidden", "dtype", "seed", "init")},
}


class Flags(Words):
    """The words of the shell."""

    def name(self, name: str) -> str:
        """Return the flag of an option; other arguments keep their names."""
        return flag(name) if name in OPTIONS else _OTHERS.get(name, name)

    def mention(self, mention: Mention) -> str:
        """Return a flag with its value: "--optimizer adam", "--standardize", "--l2 is 1"."""
        name, value = self.name(mention.name), mention.value
        if name == mention.name or value is NO_VALUE:
            return super().mention(mention)
        if mention.link == " is ":
            return f"{name} is {'not given' if value is None else repr(value)}"
        return name if value is True else f"{name} {value}"

    def change(self, change: Change) -> str:
        """Return a direction in which to change an option: a flag has a value, "a larger" one."""
        return super().change(change._replace(how="a larger") if change.how == "more" else change)


FLAGS = Flags()
