"""The server a user names: asked before any work whether it is there and is Prefect's."""

from __future__ import annotations

import os

from pydantic import ValidationError

from data_schemas.foundation.base import describe_validation_error
from flows.common.errors import ResourceError

_ANSWER_WITHIN_S = 15.0
_VARIABLE = "PREFECT_API_URL"
_REFUSED = frozenset({401, 403})


def check_address() -> bool:
    """Whether the environment, a profile or a settings file of Prefect names a server; it is one that answers then.

    Raises:
        ResourceError: it is away, too slow, wants a login, or is no Prefect API that this version can talk to. The
            text names the address, where it comes from, and the way out. Or Prefect refuses one of its settings.
    """
    try:
        from prefect.settings import get_current_settings

        url = get_current_settings().api.url
    except ValidationError as error:  # Prefect reads its settings when it is imported
        raise ResourceError(
            f"Prefect refuses a setting: {describe_validation_error(error)}. Correct it where it is set: a "
            "variable PREFECT_..., ~/.prefect/profiles.toml, or prefect.toml, pyproject.toml or .env in this folder"
        ) from error
    if not url:
        return False
    problem = _problem()
    if problem is not None:
        source = _source(url)
        raise ResourceError(
            f"Prefect's server at {_without_login(url)} (from {source}) {problem}. "
            f"Start it or correct the address, or {_taken_away(source)}: the build then starts a server of its own"
        )
    return True


def _problem() -> str | None:
    import httpx
    from prefect.client.base import ServerType
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        try:
            client = get_client(sync_client=True, httpx_settings={"timeout": _ANSWER_WITHIN_S})
            health = client.request("GET", "/health")
            if client.server_type is ServerType.CLOUD:
                return None
            if health.json() is not True:
                return _NO_API
            return _too_far_apart(str(client.api_version()), client.client_version())
        except httpx.HTTPStatusError as error:
            return _status_problem(error.response.status_code)
        except httpx.TimeoutException:
            return f"did not answer within {_ANSWER_WITHIN_S:.0f} s"
        except httpx.UnsupportedProtocol:
            return "is no address: it has to begin with http:// or https://"
        except httpx.TransportError as error:
            return f"cannot be reached ({error}){_wrong_protocol(error)}"
        except (httpx.InvalidURL, ValueError):  # also what is no JSON
            return _NO_API


_NO_API = "does not answer as Prefect's API does: the address ends in /api, as in http://host:4200/api"


def _status_problem(status: int) -> str:
    if status in _REFUSED:
        return (
            f"wants a login (HTTP {status}): set PREFECT_API_AUTH_STRING to user:password (PREFECT_API_KEY for Prefect "
            "Cloud)"
        )
    if status < 500:  # noqa: PLR2004  the server's own faults begin here
        return f"{_NO_API} (HTTP {status})"
    return f"is not well (HTTP {status})"


def _wrong_protocol(error: Exception) -> str:
    text = str(error).upper()
    if "SSL" in text or "TLS" in text:
        return "; it may speak http where the address says https, or have a certificate that nobody here knows"
    return ""


def _too_far_apart(server: str, client: str) -> str | None:
    from packaging.version import Version

    try:
        theirs, ours = Version(server), Version(client)
    except ValueError:
        return _NO_API
    return f"is of Prefect's API {server}, and {client} is installed here" if theirs.major != ours.major else None


def _source(url: str) -> str:
    from prefect.context import get_settings_context
    from prefect.settings import PREFECT_API_URL, PREFECT_PROFILES_PATH

    if os.environ.get(_VARIABLE) == url:
        return _VARIABLE
    profile = get_settings_context().profile
    if profile.settings.get(PREFECT_API_URL):
        return f"profile {profile.name!r} in {PREFECT_PROFILES_PATH.value()}"
    return "prefect.toml, pyproject.toml or .env in this folder"


def _taken_away(source: str) -> str:
    if source == _VARIABLE:
        return f"run `unset {_VARIABLE}`"
    return "take it out there" if "profile" not in source else "run `prefect config unset PREFECT_API_URL`"


def _without_login(url: str) -> str:
    """An address may be broken in any way, so it is not parsed."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = (rest if mark else scheme).partition("/")
    return (scheme + mark if mark else "") + host.rpartition("@")[2] + slash + path
