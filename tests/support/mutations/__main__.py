"""Print ``docs/mutation-test.md``: ``python -m tests.support.mutations [RELEASE]``.

Without a release a clean one is built first. What is missed, unexplained or blamed wrongly goes to standard error.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.support.mutations.release import make_release
from tests.support.mutations.run import Report, run


def complaints(report: Report) -> list[str]:
    """One line per thing that is wrong."""
    lines = [f"clean: {finding.code} {finding.item}: {finding.message}" for finding in report.clean.errors]
    for outcome in report.outcomes:
        where = f"{outcome.kind} in {outcome.item}"
        lines += [] if outcome.found else [f"MISSED {where} (found: {', '.join(outcome.also) or 'nothing'})"]
        lines += [f"UNEXPLAINED {where}: {each}" for each in outcome.unexplained]
        lines += [f"FALSE ALARM {where}: {each}" for each in outcome.false_alarms]
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = Path(sys.argv[1]) if len(sys.argv) > 1 else make_release(folder / "build")
        report = run(root, folder / "mutations")
    sys.stdout.write(report.document)
    for line in complaints(report):
        sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
