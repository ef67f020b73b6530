"""``speech.cosyvoice``: where CosyVoice and its weights are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data_schemas.foundation.base import Record

Mode = Literal["auto", "instruct", "zero_shot", "cross_lingual"]


class CosyVoiceSettings(Record):
    """CosyVoice 2 or 3 in a process of its own, see docs/cosyvoice.md."""

    #: directory with cosyvoice2.yaml or cosyvoice3.yaml and the weights
    model_dir: str
    #: interpreter of the environment that CosyVoice is installed in; None: this one
    python: str | None = None
    #: official checkout, where CosyVoice is not installed as a package
    checkout: str | None = None
    #: ``auto``: a reference clip of the emotion where the voice has one, else an instruction with the neutral clip
    mode: Mode = "auto"
    #: SPDX identifier of the weights
    license: str = "Apache-2.0"
    #: longest time for one utterance, and for loading the model, seconds; afterwards the process is ended and recycled
    timeout_s: float = Field(default=120.0, gt=0.0, le=3600.0)
    start_timeout_s: float = Field(default=600.0, gt=0.0, le=7200.0)
    #: OMP_NUM_THREADS of the process; another number gives other bytes
    threads: int = Field(default=1, ge=1, le=64)
    fp16: bool = False
    load_trt: bool = False
    load_vllm: bool = False
