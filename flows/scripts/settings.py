"""The ``scripts.llm`` section of a configuration that has one."""

from __future__ import annotations

from flows.common.errors import ConfigError
from flows.config.build_config import BuildConfig
from generators.scripts.settings import LlmSettings


def llm_settings(config: BuildConfig) -> LlmSettings:
    """The section of the model writer.

    Raises:
        ConfigError: no model writes the scripts, so there is nothing to ask it for.
    """
    if config.scripts.writer != "llm" or config.scripts.llm is None:
        why = {
            "pack": "its scripts are frozen files already and nothing is to be written",
            "rehearsal": "its scripts are filled in by rule while a build runs",
        }
        raise ConfigError(
            f"scripts.writer is {config.scripts.writer!r}: {why.get(config.scripts.writer, 'its section is missing')}; "
            "set scripts.writer to llm with a section scripts.llm (configs/local-llm.yaml shows one)"
        )
    return config.scripts.llm
