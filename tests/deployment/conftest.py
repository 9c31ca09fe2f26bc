from release_support import registry, world

__all__ = ["registry", "world"]
