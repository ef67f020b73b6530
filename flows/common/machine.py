"""`machine_facts`: the processor, the libraries and the kernels of this machine; imports none of the libraries."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from data_schemas.machine import Machine

#: Distributions whose code makes samples.
SAMPLE_PACKAGES: tuple[str, ...] = (
    "numpy",
    "scipy",
    "soxr",
    "librosa",
    "numba",
    "pyloudnorm",
    "onnxruntime",
    "kokoro-onnx",
    "misaki",
    "pypinyin",
    "jieba",
    "cn2an",
    "num2words",
    "phonemizer",
    "espeakng-loader",
    "pyworld-prebuilt",
    "pyroomacoustics",
)
#: Distributions whose code measures, besides.
MEASURE_PACKAGES: tuple[str, ...] = (
    "ctranslate2",
    "faster-whisper",
    "opencc",
    "jiwer",
    "torch",
    "pyannote.audio",
    "silero-vad",
    "praat-parselmouth",
    "opensmile",
    "scikit-learn",
    "py3langid",
)
#: Distributions whose code writes published tables.
TABLE_PACKAGES: tuple[str, ...] = ("polars",)
PACKAGES = (*SAMPLE_PACKAGES, *MEASURE_PACKAGES, *TABLE_PACKAGES)

ONNX_PROVIDER = "CPUExecutionProvider"  # the only one that engines and judges ask for
CPUINFO = Path("/proc/cpuinfo")

#: Instruction sets that the libraries above choose kernels by (ONNX Runtime, oneDNN, MKL, OpenBLAS, NumPy, soxr).
_X86_FEATURES = (
    "sse4_1 avx avx2 fma f16c avx_vnni avx512f avx512bw avx512cd avx512dq avx512vl avx512ifma avx512vbmi avx512_vbmi2 "
    "avx512_vnni avx512_bitalg avx512_vpopcntdq avx512_bf16 avx512_fp16 amx_tile amx_int8 amx_bf16"
)
_ARM_FEATURES = "asimd asimddp asimdhp sve sve2 i8mm bf16"
_FEATURES = frozenset(_X86_FEATURES.split()) | frozenset(_ARM_FEATURES.split())
_X86, _INTEL, _TRUE = frozenset({"x86_64", "AMD64"}), "GenuineIntel", frozenset({"1", "true"})
_VENDOR_KEYS = ("vendor_id", "CPU implementer")
_FEATURE_KEYS = ("flags", "Features")


def machine_facts() -> Machine:
    """What this machine's bytes may depend on; a few milliseconds."""
    vendor, features = processor(_read(CPUINFO))
    architecture = platform.machine()
    return Machine(
        architecture=architecture,
        vendor=vendor,
        features=features,
        system=", ".join(part for part in (platform.system(), " ".join(platform.libc_ver()).strip()) if part),
        python=platform.python_version(),
        recogniser=recogniser_kernels(architecture, vendor, features, os.environ),
        onnx_provider=ONNX_PROVIDER,
        packages=library_versions(PACKAGES),
    )


def processor(cpuinfo: str) -> tuple[str, tuple[str, ...]]:
    """Vendor and kernel-choosing features of the first processor in the text of ``/proc/cpuinfo``.

    >>> processor("vendor_id : AuthenticAMD\\nflags : fpu avx2 hypervisor avx512_vnni")
    ('AuthenticAMD', ('avx2', 'avx512_vnni'))
    >>> processor("")
    ('', ())
    """
    first: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        first.setdefault(name.strip(), value.strip())
    vendor = next((first[key] for key in _VENDOR_KEYS if key in first), "")
    flags = next((first[key] for key in _FEATURE_KEYS if key in first), "")
    return vendor, tuple(sorted(_FEATURES.intersection(flags.split())))


def recogniser_kernels(architecture: str, vendor: str, features: Iterable[str], environment: Mapping[str, str]) -> str:
    """Backend and instruction set that CTranslate2 (4.8) chooses by itself, or is told by its variables
    ``CT2_USE_MKL`` and ``CT2_FORCE_CPU_ISA``; it has no function that says so (src/cpu/backend.cc, src/cpu/cpu_isa.cc).

    >>> recogniser_kernels("x86_64", "AuthenticAMD", ("avx", "avx2", "avx512f"), {})
    'oneDNN, AVX2'
    >>> recogniser_kernels("x86_64", "GenuineIntel", ("avx", "avx2"), {"CT2_USE_MKL": "0", "CT2_FORCE_CPU_ISA": "AVX"})
    'oneDNN, AVX'
    """
    if architecture not in _X86:
        return f"CTranslate2's own choice on {architecture}"
    asked = environment.get("CT2_USE_MKL", "").lower()
    mkl = asked in _TRUE if asked else vendor == _INTEL
    has = set(features)
    own = "AVX2" if "avx2" in has else "AVX" if "avx" in has else "GENERIC"  # AVX512 only where it is asked for
    return f"{'MKL' if mkl else 'oneDNN'}, {environment.get('CT2_FORCE_CPU_ISA', '').upper() or own}"


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Distribution -> installed version, sorted by name; what is not installed is left out. Imports none of them."""
    found = {}
    for name in sorted(names):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _read(path: Path) -> str:
    """The text, or none where the system has no such file (macOS, Windows)."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
