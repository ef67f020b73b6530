"""The doctor names what is wrong and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from pathlib import Path

import pytest

from flows.common import machine
from flows.doctor import checks as doctor
from flows.doctor.checks import (
    check_disk,
    check_machine,
    check_models,
    check_npm,
    check_packages,
    check_python,
    package_problems,
    pin_differences,
    probe,
)
from tests.support.model_tables import entry, file_row, write_table


def test_this_python_is_fine_and_an_old_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_python().ok
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    check = check_python()
    assert not check.ok
    assert "3.9.18" in check.detail
    assert check.fix is not None


def test_the_kind_of_machine_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "cpuinfo").write_text("vendor_id : AuthenticAMD\nflags : avx2 avx512f avx512_vnni\n", encoding="utf-8")
    monkeypatch.delenv("CT2_USE_MKL", raising=False)
    monkeypatch.delenv("CT2_FORCE_CPU_ISA", raising=False)
    check = check_machine()
    assert check.ok and "\n" not in check.detail
    assert check.detail.startswith("AuthenticAMD, x86_64 with AVX-512 VNNI; ")
    assert "recogniser: oneDNN, AVX2" in check.detail


def test_requirements_that_are_absent_or_out_of_limits_are_named() -> None:
    numpy = importlib.metadata.version("numpy")
    problems = list(
        package_problems(
            [
                "numpy>=2",
                "numpy<1",
                "no-such-package-of-ours>=1",
                "absent; extra == 'dev'",
                "absent; python_version < '3'",
            ]
        )
    )
    assert problems == [f"numpy is {numpy}, needed is <1", "no-such-package-of-ours is not installed"]


def test_pins_are_compared_only_for_what_is_installed_and_local_labels_do_not_count() -> None:
    torch = importlib.metadata.version("torch")
    text = f"# words\n\nnumpy==1.0.0  # why\nno-such-package-of-ours==1\ntorch=={torch.partition('+')[0]}\n"
    numpy = importlib.metadata.version("numpy")
    assert list(pin_differences(text)) == [f"numpy is {numpy}, pinned is 1.0.0"]


def test_our_own_environment_fits_its_pins() -> None:
    assert list(pin_differences(doctor.CONSTRAINTS.read_text(encoding="utf-8"))) == []


def test_packages_check_without_our_own_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DISTRIBUTION", "no-such-package-of-ours")
    check = check_packages()
    assert (check.ok, check.fix) == (False, "make setup")


def test_absent_npm_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    check = check_npm()
    assert not check.ok
    assert "npm" in (check.fix or "")


def test_a_small_disk_names_place_and_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUMDIAL_MODELS", str(tmp_path / "not" / "yet"))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**9))
    check = check_disk()
    assert not check.ok
    assert f"1.0 GB free at {tmp_path / 'not' / 'yet'}" in check.detail


def test_models_missing_corrupt_and_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = [file_row("a.bin", b"a", [{"source": "a"}])]
    table = write_table(
        tmp_path / "t.yaml",
        entry("here", files=rows),
        entry("gone", files=rows),
        entry("bent", files=rows, group="test"),
        entry("later", files=rows, group="optional"),
    )
    for name, data in (("here", b"a"), ("bent", b"b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.bin").write_bytes(data)
    monkeypatch.setenv("HUMDIAL_MODEL_TABLE", str(table))
    monkeypatch.setenv("HUMDIAL_MODELS", str(tmp_path))
    checks = {check.name: check for check in check_models()}
    assert [check.ok for check in checks.values()] == [True, False, False, True]
    assert checks["model gone"].fix == "humdial models fetch gone"
    assert checks["model bent"].fix == "humdial models fetch bent"
    assert "only for group optional" in checks["model later"].detail


def test_an_unreadable_table_is_one_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUMDIAL_MODEL_TABLE", str(tmp_path / "none.yaml"))
    (check,) = check_models()
    assert not check.ok
    assert "none.yaml" in check.detail


def test_a_probe_reports_its_last_line_whether_it_works_or_breaks() -> None:
    assert probe("p", "print('噪音'); print('好')", "fix me").detail == "好"
    broken = probe("p", "raise ImportError('libfoo.so is missing')", "fix me")
    assert (broken.ok, broken.fix) == (False, "fix me")
    assert broken.detail == "ImportError: libfoo.so is missing"


def test_a_probe_that_dies_without_a_word_is_a_failed_check() -> None:
    check = probe("p", "import os; os._exit(7)", "fix me")
    assert not check.ok
    assert "status 7" in check.detail


def test_espeak_answers_from_its_wheel() -> None:
    check = doctor.check_espeak()
    assert check.ok, check.detail
    assert check.detail.startswith("espeak-ng 1.")
