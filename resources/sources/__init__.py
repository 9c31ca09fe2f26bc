"""Where conversations come from: the entries of `sources` in settings.yaml, and what each of them opens.

A kind is one entry (entries.py) and one Source beside it. A Source of your own needs neither: kind `python` names its
class. What reads is loaded when it is first asked for: settings alone need the entries only.
"""

from typing import TYPE_CHECKING, Any

from resources.sources.entries import SourceEntry

if TYPE_CHECKING:
    from resources.sources.files import Files, Spread
    from resources.sources.opening import open_source

__all__ = ["Files", "SourceEntry", "Spread", "open_source"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from resources.sources import files, opening

    return getattr(opening if name == "open_source" else files, name)
