"""The external systems of the graph, one module each; wiring.py binds those of an installation.

What wiring.py has can be imported from here. It is loaded when it is first asked for, so that a lake alone does not
load every other system.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resources.wiring import build_resources, home_folder, open_lake, open_registry, open_target

__all__ = ["build_resources", "home_folder", "open_lake", "open_registry", "open_target"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from resources import wiring

    return getattr(wiring, name)
