"""llama.cpp's OpenAI-compatible server inside this process, through the ``xllamacpp`` package."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from data_schemas.foundation.models import verified_files
from generators.remote.errors import ConfigProblem
from generators.remote.settings import LocalServer

#: MiB of memory for prompts of earlier questions; the package's own default is 8192
_PROMPT_CACHE_MIB = 256
_QUIET = -1
#: the first token of a large model on a slow disk takes minutes
_FIRST_TOKEN_SECONDS = 600.0


class LocalLlama:
    """A server on 127.0.0.1 that lives as long as the ``with`` block; the system chooses a free port.

    ::

        with LocalLlama("local", settings, base_dir) as server:
            server.base_url  # http://127.0.0.1:PORT/v1

    Entering loads the model (seconds) and blocks. ``base_dir``: relative model files are looked up from here.

    Raises (when entered):
        ConfigProblem: the package or the file is missing, or the file is no model; the sentence says what to do.
        ModelMissing, ModelCorrupt, ModelTableError: the pinned model is not there or not the pinned one.
    """

    def __init__(self, name: str, settings: LocalServer, base_dir: Path) -> None:
        self._name = name
        self._settings = settings
        self._base_dir = base_dir
        self._server: Any = None
        self.base_url = ""

    @property
    def title(self) -> str:
        """What the server calls its model: the name of the pinned model, or of the file without its folder."""
        return self._settings.model or Path(self._settings.file or "").name

    def __enter__(self) -> Self:
        xllamacpp = self._package()
        path = self._model_path()
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.model_alias = {self.title}  # else it reports the whole path of this machine
        params.n_parallel = self._settings.parallel
        params.n_ctx = self._settings.context_tokens * self._settings.parallel
        params.n_gpu_layers = self._settings.gpu_layers
        params.fit_params = False  # the configuration decides, not what the machine has free at the moment
        params.cache_ram_mib = _PROMPT_CACHE_MIB
        params.ui = False
        params.endpoint_slots = False
        params.offline = True
        params.verbosity = _QUIET
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        if self._settings.threads:
            params.cpuparams.n_threads = self._settings.threads
            params.cpuparams_batch.n_threads = self._settings.threads
        try:
            self._server = xllamacpp.Server(params)
        except Exception as error:
            raise ConfigProblem(
                f"endpoint {self._name!r}: llama.cpp cannot load {path} ({' '.join(str(error).split())}); "
                "it must be a GGUF file of a chat model, and fit in memory"
            ) from error
        self.base_url = f"{self._server.listening_address}/v1"
        self._say_one_token()
        return self

    def _say_one_token(self) -> None:
        """See the server at work before anything else happens.

        llama.cpp's main loop starts a moment after its socket listens, and a server that is stopped in
        between is waited for without end (seen in 2 of 3 tries on a busy machine).
        """
        import httpx

        question = {"model": self.title, "prompt": "a", "max_tokens": 1}
        try:
            with httpx.Client(trust_env=False, timeout=_FIRST_TOKEN_SECONDS) as client:
                client.post(f"{self.base_url}/completions", json=question).raise_for_status()
        except httpx.HTTPError as error:
            raise ConfigProblem(
                f"endpoint {self._name!r}: llama.cpp loaded {self.title} and does not answer ({error}); "
                "try fewer parallel questions, fewer context_tokens or another file"
            ) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server = None  # the package stops the server when its object goes
        self.base_url = ""

    def _package(self) -> Any:
        try:
            import xllamacpp
        except ImportError as error:
            raise ConfigProblem(
                f"endpoint {self._name!r}: llama.cpp is not installed ({error}); run: pip install -e '.[local-llm]'"
            ) from error
        return xllamacpp

    def _model_path(self) -> Path:
        if self._settings.model is not None:
            files = verified_files(self._settings.model)
            models = [path for name, path in files.items() if name.endswith(".gguf")]
            if not models:
                raise ConfigProblem(
                    f"endpoint {self._name!r}: the model {self._settings.model!r} has no GGUF file; name another"
                )
            return models[0]
        path = self._base_dir / Path(self._settings.file or "").expanduser()
        if not path.is_file():
            raise ConfigProblem(
                f"endpoint {self._name!r}: local.file: {path} is not there; correct the path (relative ones are looked "
                f"up from {self._base_dir})"
            )
        return path
