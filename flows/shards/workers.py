"""The worker processes of a build, shared by all its shards: those that every command has."""

from flows.common.workers import WORKER_DIED, WorkerPool, default_workers

__all__ = ["WORKER_DIED", "WorkerPool", "default_workers"]
