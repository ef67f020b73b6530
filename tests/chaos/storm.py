"""The storm: builds are killed at moments seen on disk, files are damaged in between, and nothing may come of it.

    python -m tests.chaos.storm --items 250 --kills 25 --seed 1

makes a build undisturbed, another one in the storm, prints what was killed where, and says whether both are the same.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from data_schemas.foundation.randomness import named_generator
from flows.common.errors import EXIT_USAGE
from tests.chaos.storm_build import storm_config
from tests.chaos.storm_places import Finished, Phase, Places, Stamp, finished, speech_of, stamps
from tests.support.builds import humdial

#: In the environment of every process of a build in the storm: the folder of that build.
MARK = "HUMDIAL_STORM"
_PATIENCE_S = 1800.0  # a machine may be very busy
_END_WITHIN_S = 60.0
_LOOK_EVERY_S, _LOOK_OFTEN_S = 0.02, 0.002
#: Phases that have work only where something is missing or damaged, and the kind of unit that each makes.
_MAKING = {
    Phase.SPEECH: "speech",
    Phase.COMPOSING: "scene",
    Phase.JUDGING: "verdict",
    Phase.BINDING: "shard",
}
_SLACK = 8  # units of a phase that may be fewer than in the undisturbed run: of tries that were swept away
_NEARLY = 0.8
_SAYS, _NOT_OURS = "humdial: ", "was not made by humdial; move it away"
_STARTS = 4  # of a build that nobody disturbs any more
#: Figures of ``build-report.json`` that two builds have in common.
_FIGURES = ("counts", "audio_hours", "rejects", "warnings", "spoken_again", "mended", "tree_sha256")


class Victim(StrEnum):
    CONDUCTOR = "conductor"
    WORKER = "worker"
    SERVER = "server"


@dataclass(frozen=True)
class Strike:
    """One kill that is planned: who, in which phase, how deep in it (0 to 1), and how many files are damaged then."""

    number: int
    victim: Victim
    phase: Phase
    depth: float
    damages: int


@dataclass
class Blow:
    """One kill as it was."""

    strike: Strike
    orchestrator: str
    victim: str
    signs: int
    #: files that were damaged after it: "kind: how"
    damaged: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """What was done and what was wrong with what came of it; nothing is wrong where ``violations`` is empty."""

    blows: list[Blow]
    violations: list[str]
    starts: int
    undisturbed: Mapping[str, Any]

    @property
    def kills(self) -> int:
        return sum(blow.victim in list(Victim) for blow in self.blows)


#: Who is killed in a phase, the first time it comes up and later; workers only where they work. To kill the conductor
#: is to end the run, and only then are files damaged.
_VICTIMS: Mapping[Phase, tuple[Victim, ...]] = {
    Phase.PLANNING: (Victim.CONDUCTOR, Victim.SERVER),
    Phase.SPEECH: (Victim.SERVER, Victim.CONDUCTOR, Victim.WORKER),
    Phase.COMPOSING: (Victim.WORKER, Victim.CONDUCTOR, Victim.SERVER),
    Phase.JUDGING: (Victim.CONDUCTOR, Victim.WORKER),
    Phase.BINDING: (Victim.CONDUCTOR, Victim.SERVER, Victim.WORKER),
    Phase.REJECTS: (Victim.CONDUCTOR,),
    Phase.STAGING: (Victim.SERVER, Victim.CONDUCTOR),
    Phase.SET_JUDGES: (Victim.CONDUCTOR, Victim.SERVER),
    Phase.LOCK: (Victim.CONDUCTOR,),
    Phase.RENAMED: (Victim.CONDUCTOR,),
}


def plan_storm(seed: int, kills: int) -> tuple[Strike, ...]:
    """Kills through a whole build in the order of its phases, then in drawn orders, over and over."""
    draw = named_generator(seed, "storm", "plan")
    order = list(Phase)
    strikes: list[Strike] = []
    while len(strikes) < kills:
        turn = len(strikes) // len(order)
        for phase in order[: kills - len(strikes)]:
            victim = _VICTIMS[phase][turn % len(_VICTIMS[phase])]
            strikes.append(Strike(len(strikes) + 1, victim, phase, float(draw.random()), int(draw.integers(2, 13))))
        order = [list(Phase)[int(place)] for place in draw.permutation(len(Phase))]
    return tuple(strikes)


class Storm:
    """One build that is struck again and again."""

    def __init__(
        self, places: Places, config: Path, seed: int, undisturbed: Places, say: Callable[[str], None]
    ) -> None:
        self._places = places
        self._config = config
        self._draw = named_generator(seed, "storm", "blows")
        self._undisturbed = undisturbed
        self._totals = {phase: len(list(undisturbed.signs(phase))) for phase in (*_MAKING, Phase.REJECTS)}
        self._tree = tree_of(undisturbed.release)
        self._say = say
        self._blows: list[Blow] = []
        self._violations: list[str] = []
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._orchestrator = ""
        #: stamps when the run began
        self._before: dict[Path, Stamp] = {}
        #: what was finished and whole when it was last looked at
        self._kept = Finished({}, {})
        #: files that were damaged, with their stamps since
        self._broken: dict[Path, Stamp] = {}

    def blow(self, strikes: Sequence[Strike]) -> Outcome:
        """All strikes, then an undisturbed end; then everything is compared."""
        try:
            for strike in strikes:
                self._strike(strike)
            self._let_end()
        finally:
            for process in family(self._places):
                process.kill()
        self._compare()
        report = _report(self._undisturbed)
        return Outcome(self._blows, self._violations, self._starts, {name: report.get(name) for name in _FIGURES})

    # -- strikes ------------------------------------------------------------------------------------

    def _strike(self, strike: Strike) -> None:
        for attempt in range(_STARTS):
            if self._process is None:
                if attempt or self._is_made:
                    self._wreck(max(3, self._totals[Phase.BINDING] // 6))
                self._start("prefect" if strike.victim is Victim.SERVER else self._either())
            signs = self._wait_for(strike if attempt == 0 else replace(strike, depth=0.0))
            if signs is not None:
                self._hit(strike, signs)
                return
            self._take_end()
        self._blows.append(Blow(strike, self._orchestrator, "-", 0))
        self._wrong(f"the moment of {strike} never came")

    def _hit(self, strike: Strike, signs: int) -> None:
        assert self._process is not None
        self._check_kept("before a kill")
        victims = {
            Victim.CONDUCTOR: [self._process.pid],
            Victim.WORKER: workers_of(self._places),
            Victim.SERVER: servers_of(self._places),
        }
        victim = strike.victim if victims[strike.victim] else Victim.CONDUCTOR  # there is none in this run, or not yet
        pid = victims[victim][int(self._draw.integers(len(victims[victim])))]
        blow = Blow(strike, self._orchestrator, victim.value, signs)
        self._blows.append(blow)
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
        if victim is Victim.CONDUCTOR:
            self._process.wait()
            self._process = None
            self._see_all_ended()
            self._check_release()
            self._kept = self._sound()
            self._damage(strike.damages, blow)
        self._say(line_of(blow))

    def _wait_for(self, strike: Strike) -> int | None:
        """How many signs of the phase there are when it is time; None: the run ended before."""
        assert self._process is not None
        wanted = self._wanted(strike)
        deadline = time.monotonic() + _PATIENCE_S
        while self._process.poll() is None:
            new = self._signs(strike.phase)
            if new >= wanted:
                return new
            if time.monotonic() > deadline:
                raise AssertionError(f"a build stood still before {strike}; its words: {self._log()[-2000:]}")
            time.sleep(_LOOK_EVERY_S if strike.phase in _MAKING else _LOOK_OFTEN_S)
        return None

    def _wanted(self, strike: Strike) -> int:
        """Signs to wait for, counted from the start of the run."""
        if strike.phase in _MAKING:
            missing = self._totals[strike.phase] - len(self._kept.of_kind(_MAKING[strike.phase]))
            return self._signs(strike.phase) + 1 + int(strike.depth * max(0, missing - _SLACK) / 2)
        if strike.phase is Phase.STAGING:
            return 1 + int(strike.depth * 0.9 * sum(path.endswith(".wav") for path in self._tree))
        most = {Phase.SET_JUDGES: 5, Phase.LOCK: 3, Phase.REJECTS: self._totals[Phase.REJECTS]}
        return 1 + int(strike.depth * most.get(strike.phase, 1))

    def _signs(self, phase: Phase) -> int:
        """New ones since the run began."""
        if phase is Phase.STAGING:  # its audio has the stamps of the scenes: links
            mark = self._places.mark
            begun = stamps([mark]).get(mark, self._before.get(mark)) != self._before.get(mark)
            return len(list(self._places.signs(phase))) if begun else 0
        return sum(self._before.get(path) != at for path, at in stamps(self._places.signs(phase)).items())

    def _either(self) -> str:
        return ("prefect", "none")[int(self._draw.integers(2))]

    @property
    def _is_made(self) -> bool:
        """Whether nearly all items are made, so that there is hardly any work to be disturbed in."""
        return len(self._kept.of_kind("shard")) > _NEARLY * self._totals[Phase.BINDING]

    # -- runs ---------------------------------------------------------------------------------------

    def _start(self, orchestrator: str) -> None:
        self._starts += 1
        self._orchestrator = orchestrator
        places = self._places
        if places.release.exists():  # it was looked at: it is taken away so that there is something to disturb
            shutil.rmtree(places.release)
        self._kept = self._sound()
        self._before = stamps([*(path for phase in Phase for path in places.signs(phase)), places.mark])
        self._process = humdial(
            "build",
            str(self._config),
            "--set",
            f"execution.orchestrator={orchestrator}",
            log=self._log_file,
            home=places.folder,
            environment={MARK: str(places.folder)},
        )

    def _take_end(self) -> bool:
        """A run ended by itself: finished (True), or with a sentence after it lost a worker; or something is wrong."""
        assert self._process is not None
        status, words = self._process.wait(), self._log()
        self._process = None
        self._see_all_ended()
        self._check_kept("by the end of a run")
        self._check_release()
        sentence = words[words.rfind(_SAYS) :].strip() if _SAYS in words else ""
        lost_worker = bool(self._blows) and self._blows[-1].victim == Victim.WORKER
        if status == 0 and self._places.release.exists():
            return True
        if "Traceback" in words or status != EXIT_USAGE or not sentence:
            self._wrong(f"run {self._starts} ended with status {status}: {words[-1500:]}")
        elif _NOT_OURS in sentence:  # its mark was taken away: a person has to see to it
            shutil.rmtree(self._places.staging)
            self._say("      the staging folder without its mark was refused; it was moved away")
        elif lost_worker:
            self._say(f"      the run that lost a worker ended: {sentence}")
        else:
            self._wrong(f"run {self._starts} ended with status {status}: {sentence}")
        return False

    def _let_end(self) -> None:
        for _ in range(_STARTS):
            if self._process is None:
                self._start(self._either())
            assert self._process is not None
            self._process.wait(timeout=_PATIENCE_S)
            if self._take_end():
                return
        self._wrong("the build never came to an end")

    @property
    def _log_file(self) -> Path:
        return self._places.folder / f"run-{self._starts:03d}.log"

    def _log(self) -> str:
        return self._log_file.read_text(encoding="utf-8", errors="replace")

    # -- damage -------------------------------------------------------------------------------------

    def _damage(self, count: int, blow: Blow) -> None:
        """Damage files of all kinds, anywhere."""
        for _ in range(count):
            found = self._places.damageable()
            if found:
                kind = list(found)[int(self._draw.integers(len(found)))]
                path = found[kind][int(self._draw.integers(len(found[kind])))]
                blow.damaged.append(f"{kind} {self._break(path)}")
        self._kept = self._sound()

    def _wreck(self, count: int) -> None:
        """Damage some shards, and in each an item and what it says, so that every stage has something to do again."""
        shards = self._kept.of_kind("shard")
        for place in self._draw.permutation(len(shards))[:count]:
            unit = shards[int(place)]
            for _, scene in sorted(self._kept.needs[unit])[:2]:
                for note in speech_of(self._places, scene):
                    if note.exists():
                        self._break(note)
                self._break(self._places.work / "scenes" / scene[:2] / scene / "facts.json")
            self._break(self._places.work / "shards" / unit[1] / "result.json")
        self._kept = self._sound()

    def _break(self, path: Path) -> str:
        """Damage a file, and with it every other name of it; returns how."""
        inode = path.stat().st_ino
        links = [other for files in self._kept.files.values() for other, (own, _) in files.items() if own == inode]
        how = damage(path, self._draw)
        self._broken |= stamps([path, *links])
        return how

    def _sound(self) -> Finished:
        return finished(self._places).sound(self._broken)

    # -- what must hold -----------------------------------------------------------------------------

    def _check_kept(self, when: str) -> None:
        """Nothing that was finished and whole was made a second time."""
        bound = {unit[1] for shard in self._kept.of_kind("shard") for unit in self._kept.needs[shard]}
        for unit in self._kept.changed():
            gone = not any(path.exists() for path in self._kept.files[unit])
            if gone and unit[0] in {"scene", "verdict"} and unit[1].partition("/")[0] not in bound:
                continue  # of an earlier try, which the end of a build sweeps away
            self._wrong(f"{unit[0]} {unit[1]} was whole, and was {'removed' if gone else 'made again'} {when}")
        self._kept = self._sound()

    def _see_all_ended(self) -> None:
        """Processes of a run end with it, however that ended."""
        deadline = time.monotonic() + _END_WITHIN_S
        while left := family(self._places):
            if time.monotonic() > deadline:
                self._wrong(f"after run {self._starts} there is still: {[_command(one)[:160] for one in left]}")
                for process in left:
                    process.kill()
                return
            time.sleep(_LOOK_EVERY_S)

    def _check_release(self) -> None:
        """A release that is there is the whole one."""
        if self._places.release.exists():
            self._compare_trees(self._tree, tree_of(self._places.release), "the release")
            for path in self._places.half_made():
                self._wrong(f"half made, beside a release: {path}")

    def _compare_trees(self, wanted: Mapping[str, str], found: Mapping[str, str], what: str) -> None:
        for path in sorted(wanted.keys() | found.keys()):
            if wanted.get(path) != found.get(path):
                state = "is missing" if path not in found else "is too much" if path not in wanted else "differs"
                self._wrong(f"{what}: {path} {state}")

    def _compare(self) -> None:
        """Quarantine, figures and books; the release was compared when it appeared."""
        quarantine = tree_of(self._undisturbed.work / "quarantine")
        self._compare_trees(quarantine, tree_of(self._places.work / "quarantine"), "quarantine")
        was, now = _report(self._undisturbed), _report(self._places)
        for name in _FIGURES:
            if was.get(name) != now.get(name):
                self._wrong(f"build-report.json: {name} is {now.get(name)} and was {was.get(name)}")
        for count in now.get("counts", []):
            if count["planned"] + count["topped_up"] != count["released"] + count["quarantined"]:
                self._wrong(f"the books do not balance: {count}")

    def _wrong(self, what: str) -> None:
        self._violations.append(what)
        self._say(f"WRONG {what}")


def damage(path: Path, draw: np.random.Generator) -> str:
    """Empty a file, cut it in half, flip bits of a byte, or delete it; returns which."""
    how = ("emptied", "halved", "flipped", "deleted")[int(draw.integers(4))]
    if how == "deleted":
        path.unlink()
        return how
    with path.open("r+b") as file:
        size = path.stat().st_size
        if how == "flipped" and size:
            place = int(draw.integers(size))
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ int(draw.integers(1, 256))]))
        else:
            file.truncate(size // 2 if how == "halved" else 0)
    return how


def tree_of(root: Path) -> dict[str, str]:
    """Every file below a folder, and the hash of what it holds."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def family(places: Places) -> list[psutil.Process]:
    """All processes that a build in these places began, whoever their parents are now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == str(places.folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def workers_of(places: Places) -> list[int]:
    return [one.pid for one in family(places) if "spawn_main" in _command(one)]


def servers_of(places: Places) -> list[int]:
    return [one.pid for one in family(places) if "prefect.server" in _command(one) or "server_process" in _command(one)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _report(places: Places) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((places.work / "build-report.json").read_text(encoding="utf-8"))
    return report


def line_of(blow: Blow) -> str:
    strike = blow.strike
    return (
        f"{strike.number:4d}  {strike.phase.value:<11}{blow.signs:>5}  {blow.orchestrator:<8}{blow.victim:<10}"
        f"{', '.join(blow.damaged) or '-'}"
    )


def run_storm(folder: Path, items: int, kills: int, seed: int, say: Callable[[str], None]) -> Outcome:
    """An undisturbed build and one in the storm, both below ``folder``."""
    whole, struck = Places(folder / "undisturbed"), Places(folder / "struck")
    config = storm_config(whole.folder, items)
    status = humdial("build", str(config), log=whole.folder / "run.log", home=whole.folder).wait(timeout=_PATIENCE_S)
    words = (whole.folder / "run.log").read_text(encoding="utf-8")
    if status != 0:
        raise AssertionError(f"the undisturbed build ended with status {status}: {words}")
    made = next((line for line in words.splitlines() if " of audio, " in line), "")
    say(f"undisturbed: {made}; seed {seed}")
    say("kill  phase      signs  runs with victim   damaged before the next start")
    return Storm(struck, storm_config(struck.folder, items), seed, whole, say).blow(plan_storm(seed, kills))


def main() -> int:
    """Run a storm as the command line says; the status is 0 where nothing came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm", description=__doc__)
    parser.add_argument("--items", type=int, default=250)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to build; kept. Without it, a temporary one that is removed")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="humdial-storm-"))
    started = time.monotonic()
    outcome = run_storm(folder, chosen.items, chosen.kills, chosen.seed, lambda line: print(line, flush=True))
    for name, value in outcome.undisturbed.items():
        print(f"{name}: {value if name != 'counts' else f'{len(value)} cells'}")
    minutes = (time.monotonic() - started) / 60
    print(f"{outcome.kills} kills, {outcome.starts} starts, {minutes:.1f} minutes")
    print("\n".join(outcome.violations) or "the same release, quarantine and books; nothing twice; nobody left")
    if not outcome.violations and chosen.folder is None:
        shutil.rmtree(folder)
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
