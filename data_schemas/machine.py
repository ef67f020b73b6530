"""`Machine`: the processor, the libraries and the recogniser's kernels that something was made with."""

from __future__ import annotations

from pydantic import Field

from data_schemas.foundation.base import Record


class Machine(Record):
    """What bytes may depend on besides configuration, code and models.

    It stands in no hash and nothing is refused because of it: two releases that differ are explained by it
    (``docs/same-bytes.md``). It names no host, no user and no time.
    """

    architecture: str  # "x86_64", "aarch64"
    vendor: str  # as the processor names itself ("GenuineIntel", "AuthenticAMD"); "" where it cannot be told
    #: sorted, those that numeric kernels are chosen by ("avx2", "avx512_vnni"); () where they cannot be told
    features: tuple[str, ...] = ()
    #: system and C library: "Linux, glibc 2.36"
    system: str
    python: str
    #: backend and instruction set of the recogniser: "MKL, AVX2"
    recogniser: str
    #: where ONNX models run: "CPUExecutionProvider"
    onnx_provider: str
    #: distribution -> version, of those that make samples or measurements; absent ones are left out
    packages: dict[str, str] = Field(default_factory=dict)

    @property
    def kernels(self) -> str:
        """The widest instruction sets in a word, e.g. ``AVX-512 VNNI``."""
        for feature, name in _KERNELS:
            if feature in self.features:
                return name
        return "unknown instruction sets" if not self.features else "no AVX2"

    def differences(self, other: Machine) -> tuple[str, ...]:
        """One clause for each thing in which another machine differs, this one's word first; () where none does."""
        clauses = [
            f"{name} {mine!r}, there {theirs!r}"
            for name in ("architecture", "vendor", "system", "python", "recogniser", "onnx_provider")
            if (mine := getattr(self, name)) != (theirs := getattr(other, name))
        ]
        lacking = sorted(set(other.features) - set(self.features))
        more = sorted(set(self.features) - set(other.features))
        clauses += [f"only here {', '.join(more)}"] if more else []
        clauses += [f"only there {', '.join(lacking)}"] if lacking else []
        for name in sorted(self.packages | other.packages):
            mine, theirs = (each.packages.get(name, "none") for each in (self, other))
            if mine != theirs:
                clauses.append(f"{name} {mine}, there {theirs}")
        return tuple(clauses)


#: feature -> what its kernels are called, widest first
_KERNELS: tuple[tuple[str, str], ...] = (
    ("amx_int8", "AMX"),
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx512f", "AVX-512"),
    ("avx_vnni", "AVX2 VNNI"),
    ("avx2", "AVX2"),
    ("i8mm", "NEON i8mm"),
    ("asimddp", "NEON dot product"),
    ("asimd", "NEON"),
)
