"""The connection to a Ray cluster; Ray is loaded only if a cluster is requested."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from n2gdb.errors import IngestError, MissingDependencyError, one_line

__all__ = ["RayCluster", "connected", "require_ray"]

#: Where Ray starts a cluster of this machine's own.
_LOCAL = "local"

#: Seconds that a cluster's address has to answer.
_PATIENCE = 5.0

#: Bytes of the store that workers share on a machine; they share files instead.
_STORE_BYTES = 1 << 27

#: What Ray reads as it is loaded: it reports to nobody, and keeps what it has to say to itself.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@dataclass(frozen=True, slots=True)
class RayCluster:
    """Which Ray cluster to ingest on, and on which device of its machines.

    ``address`` is ``local`` for one of this machine's own that ends with the ingest, ``auto`` for the one
    that this machine belongs to, or host:port, or ray://host:port. ``device`` is auto, cpu, cuda or mps;
    auto is cuda where the cluster has GPUs.
    """

    address: str = _LOCAL
    device: str = "auto"


def require_ray() -> Any:
    """Load Ray; raise MissingDependencyError if it is not installed."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            'ingest on a cluster needs Ray, which is not installed: pip install "n2gdb[ray]"'
        ) from error
    return ray


@contextmanager
def connected(cluster: RayCluster) -> Iterator[None]:
    """Connect to a cluster, or start a local one, and let go of it at the end, whatever ends it.

    A connection that this process has already is used, and stays.
    """
    ray = require_ray()
    if ray.is_initialized():
        yield
        return
    try:
        _connect(ray, cluster.address)
        yield
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    options = {"include_dashboard": False, "object_store_memory": _STORE_BYTES} if address == _LOCAL else {}
    try:
        _knock(address)
        ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except Exception as error:  # of connections, versions and resources, of several kinds
        raise IngestError(f"no Ray cluster can be used at {address!r}: {one_line(error)}") from error


def _knock(address: str) -> None:
    """Raise OSError if nobody listens at host:port: Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").partition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
