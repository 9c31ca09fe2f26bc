"""The registry: MLflow tracking, model registry with aliases, prompt registry."""

from resources.registry.mlflow import Registry, TrackedRun

__all__ = ["Registry", "TrackedRun"]
