"""RTTM: ten columns, one stretch of speech a line (FORMATS.md C.5)."""

from __future__ import annotations

from collections.abc import Collection

from data_schemas.tasks import Role
from flows.exports.reading.timeline import Timeline
from flows.exports.writing.common import TIME_DECIMALS, length, spoken_spans

_FEWEST_DECIMALS = 3  # what other tools write


def rttm(timeline: Timeline, name: str, roles: Collection[Role] = tuple(Role)) -> str:
    """The speech of ``roles`` in file ``name``, ascending; the speaker column holds the role.

    A pause inside a line is silence, so the line is split there. Cut replies end where they were cut.
    Times are exact to the sample, hence up to seven decimals.
    """
    spoken = [
        (span, line.role)
        for line in timeline.lines
        if line.role in roles
        for span in spoken_spans(line.span, timeline.pauses_in(line))
    ]
    return "".join(
        f"SPEAKER {name} 1 {_seconds(span.start)} {_seconds(length(*span))} <NA> <NA> {role} <NA> <NA>\n"
        for span, role in sorted(spoken)
    )


def _seconds(value: float) -> str:
    """
    >>> _seconds(0.52), _seconds(0.7891875)
    ('0.520', '0.7891875')
    """
    whole, decimals = f"{value:.{TIME_DECIMALS}f}".split(".")
    return f"{whole}.{decimals.rstrip('0'):0<{_FEWEST_DECIMALS}}"
