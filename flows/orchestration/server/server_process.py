"""A build's own Prefect server: ``python -m flows.orchestration.server.server_process --parent PID --port N``.

It ends with the build, however that ends, and listens to this machine alone.
"""

from __future__ import annotations

import argparse

from flows.common.parent_watch import end_with_parent
from flows.orchestration.environment import LOOPBACK

SERVER_APP = "prefect.server.api.server:create_app"


def main() -> None:
    """Serve until told to end (SIGTERM) or until the parent is gone."""
    parser = argparse.ArgumentParser(prog="python -m flows.orchestration.server.server_process")
    parser.add_argument("--parent", type=int, required=True, help="id of the build's process")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--app", default=SERVER_APP)
    chosen = parser.parse_args()
    end_with_parent(chosen.parent, whole_group=True)

    import uvicorn

    uvicorn.run(chosen.app, factory=True, host=LOOPBACK, port=chosen.port, log_level="error", lifespan="on")


if __name__ == "__main__":
    main()
