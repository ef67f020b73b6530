"""The facts of a machine are read without loading a library, and a difference is told in words."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from data_schemas.machine import Machine
from flows.common import machine as module
from flows.common.machine import PACKAGES, library_versions, machine_facts, processor, recogniser_kernels

INTEL = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) 处理器
flags\t\t: fpu sse4_1 avx avx2 fma avx512f avx512_vnni amx_tile amx_int8 hypervisor

processor\t: 1
vendor_id\t: other
flags\t\t: fpu
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd crc32 asimddp i8mm\nCPU implementer\t: 0x41\n"


def machine(**changes: object) -> Machine:
    made = Machine(
        architecture="x86_64",
        vendor="GenuineIntel",
        features=("avx2", "avx512_vnni"),
        system="Linux, glibc 2.36",
        python="3.11.9",
        recogniser="int8",
        onnx_provider="CPUExecutionProvider",
        packages={"numpy": "2.4.6", "torch": "2.13.0"},
    )
    return made.model_copy(update=changes)


def test_vendor_and_features_are_those_of_the_first_processor() -> None:
    assert processor(INTEL) == (
        "GenuineIntel",
        ("amx_int8", "amx_tile", "avx", "avx2", "avx512_vnni", "avx512f", "fma", "sse4_1"),
    )
    assert processor(ARM) == ("0x41", ("asimd", "asimddp", "i8mm"))


def test_a_system_without_the_file_tells_less_and_does_not_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "没有")
    facts = machine_facts()
    assert (facts.vendor, facts.features) == ("", ())
    assert facts.kernels == "unknown instruction sets"


def test_the_facts_of_this_machine_are_the_same_twice_and_survive_json() -> None:
    facts = machine_facts()
    assert facts == machine_facts() == Machine.from_json_line(facts.to_json_line())
    assert facts.packages["numpy"] == version("numpy")
    assert facts.packages["ctranslate2"] == version("ctranslate2")
    assert set(facts.packages) <= set(PACKAGES)


def test_no_host_no_user_and_no_time_are_named() -> None:
    assert set(Machine.model_fields) == {
        "architecture", "vendor", "features", "system", "python", "recogniser", "onnx_provider", "packages"
    }  # fmt: skip


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from flows.common.machine import machine_facts; machine_facts();"
        "print(sorted({'torch', 'onnxruntime', 'ctranslate2', 'librosa', 'scipy', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_versions_of_what_is_not_installed_are_left_out() -> None:
    assert library_versions(("numpy", "no-such-package-of-ours")) == {"numpy": version("numpy")}
    assert list(library_versions(("torch", "numpy"))) == ["numpy", "torch"]


@pytest.mark.parametrize(
    ("features", "kernels"),
    [
        (("amx_int8", "avx2", "avx512_vnni", "avx512f"), "AMX"),
        (("avx2", "avx512_vnni", "avx512f"), "AVX-512 VNNI"),
        (("avx2", "avx512f"), "AVX-512"),
        (("avx2",), "AVX2"),
        (("avx",), "no AVX2"),
        (("asimd", "asimddp"), "NEON dot product"),
    ],
)
def test_kernels_are_named_by_the_widest_instructions(features: tuple[str, ...], kernels: str) -> None:
    assert machine(features=features).kernels == kernels


def test_differences_are_told_and_equal_machines_have_none() -> None:
    here = machine()
    assert here.differences(here) == ()
    there = machine(vendor="AuthenticAMD", features=("avx2", "fma"), packages={"numpy": "2.4.7", "soxr": "1.1.0"})
    assert here.differences(there) == (
        "vendor 'GenuineIntel', there 'AuthenticAMD'",
        "only here avx512_vnni",
        "only there fma",
        "numpy 2.4.6, there 2.4.7",
        "soxr none, there 1.1.0",
        "torch 2.13.0, there none",
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "MKL, AVX2"),
        ({"CT2_USE_MKL": "0"}, "oneDNN, AVX2"),
        ({"CT2_USE_MKL": "1", "CT2_FORCE_CPU_ISA": "AVX512"}, "MKL, AVX512"),
        ({"CT2_FORCE_CPU_ISA": "generic"}, "MKL, GENERIC"),
    ],
)
def test_the_recognisers_own_variables_are_heeded(environment: dict[str, str], expected: str) -> None:
    assert recogniser_kernels("x86_64", "GenuineIntel", ("avx", "avx2", "avx512f"), environment) == expected


def test_an_old_processor_and_another_architecture_are_named() -> None:
    assert recogniser_kernels("x86_64", "AuthenticAMD", ("sse4_1",), {}) == "oneDNN, GENERIC"
    assert recogniser_kernels("x86_64", "GenuineIntel", ("avx",), {}) == "MKL, AVX"
    assert "aarch64" in recogniser_kernels("aarch64", "0x41", (), {})
