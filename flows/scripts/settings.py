"""The ``scripts.llm`` section of a configuration that has one."""

from __future__ import annotations

from flows.common.errors import ConfigError
from flows.config.build_config import BuildConfig
from generators.scripts.settings import LlmSettings


def llm_settings(config: BuildConfig) -> LlmSettings:
    """The section of the model writer.

    Raises:
        ConfigError: the configuration replays a pack, so there is nothing to write.
    """
    if config.scripts.writer != "llm" or config.scripts.llm is None:
        raise ConfigError(
            "scripts.writer is 'pack': its scripts are frozen files already and nothing is to be written; "
            "set scripts.writer to llm with a section scripts.llm (configs/local-llm.yaml shows one)"
        )
    return config.scripts.llm
