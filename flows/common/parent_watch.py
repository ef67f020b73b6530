"""Processes that end with the one that started them, also after its ``kill -9``."""

from __future__ import annotations

import os
import signal
import threading
import time

_ASK_EVERY_S = 1.0


def end_with_parent(parent: int, *, whole_group: bool = False) -> None:
    """End this process within a second or so of the moment ``parent`` is no longer its parent.

    A thread asks who the parent is; nothing is installed in the parent, which may be killed at any moment, and one that
    was gone before the call counts as gone. The end is abrupt: nothing is flushed, no exit handler runs.

    Args:
        parent: id of the process to live with, as that process itself knows it (``os.getpid()`` there).
        whole_group: end every process of this process's group; only for a group of its own (``start_new_session``).
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_ASK_EVERY_S)
        if whole_group:
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
