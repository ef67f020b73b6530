"""``humdial status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.options import AsJson, ConfigFile, Overrides, overrides_of, print_json, screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.build.status import BuildStatus

#: Notes shown; progress.json and build.log have more.
_NOTES = 5


def status(config: ConfigFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Say how far a running or stopped build is: stages, rates, time left.

    Reads files of the work directory only: nothing is locked, and a running build is not disturbed.

    Example:

      watch humdial status configs/quickstart.yaml
    """
    from flows.build.status import read_status
    from flows.config.build_config import load_config

    settings = load_config(config, overrides_of(overrides), need_engine=False)
    found = read_status(settings)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    console = screen()
    for line in lines(found, str(settings.work_dir)):
        console.print(line, markup=False, soft_wrap=True)


def lines(found: BuildStatus, work: str) -> Iterator[str]:
    """What is known, a line each."""
    from flows.build.status import LOG_FILE, State
    from flows.common.pace import duration

    progress = found.progress
    if progress is None:
        yield f"nothing was begun in {work}" + ("; the release is there" if found.released else "")
        return
    said = {
        State.RUNNING: f"running (process {progress.pid}) since {progress.started_at}",
        State.GONE: f"stopped at {progress.updated_at} (not running: it was killed); run it again to go on",
        State.ELSEWHERE: f"begun on {progress.host} (process {progress.pid}), last heard of at {progress.updated_at}",
        State.FINISHED: f"finished at {progress.updated_at}",
        State.STOPPED: f"stopped at {progress.updated_at} (not running); run it again to go on",
        State.FAILED: f"failed at {progress.updated_at}: {progress.sentence}",
    }[found.state]
    yield f"{progress.command} {progress.config}: {said}"
    for stage in progress.stages:
        yield f"  {stage}" if found.state in {State.RUNNING, State.ELSEWHERE} else f"  {stage.counts}"
    if found.seconds_left:
        yield f"about {duration(found.seconds_left)} left for {found.deciding}, before the set is judged and published"
    if progress.notes:
        yield "last notes:"
        yield from (f"  {note}" for note in progress.notes[-_NOTES:])
    if found.report is not None:
        yield (
            f"{found.report.released} items released, {found.report.quarantined} rejected, "
            f"{found.report.audio_hours:.2f} hours of audio, in {duration(found.report.wall_seconds)}"
        )
    if found.released:
        yield f"release: {progress.release}"
    yield f"log: {work}/{LOG_FILE}"
