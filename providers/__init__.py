"""One file per service: text in; text, reasoning and usage out. Knows no games.

A provider is a module with `create(**options) -> Provider`, found by its name: here, or in the entry
point group `duelist.providers`. Importing this package, or any one provider, imports no SDK.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any, NamedTuple, cast

from providers.base import Provider
from providers.wire import Service, public

GROUP = "duelist.providers"
_FILES = {"sim": "simulated"}  # where the word of a spec is not the name of the file
_NOT_SERVICES = frozenset(
    {"base", "batches", "wire", "retry", "prices", "dialects", "outlook", "reasons", "stand_in"}
)


class KeyStatus(NamedTuple):
    """What stands between us and a service; never the key itself."""

    provider: str
    key_variables: tuple[str, ...]
    key_set: bool
    key_needed: bool
    base_url: str
    sdk: str
    sdk_found: bool


def names() -> list[str]:
    """Every provider that `create` knows, sorted."""
    words = {file: word for word, file in _FILES.items()}
    found = {m.name for m in pkgutil.iter_modules(__path__)} - _NOT_SERVICES
    return sorted({words.get(name, name) for name in found} | {e.name for e in entry_points(group=GROUP)})


def create(name: str, **options: str) -> Provider:
    """The provider `name`; it opens nothing until its first call.

    Raises ValueError for an unknown name or option, ImportError with the pip command for a missing SDK.
    """
    module = _module(name)
    service = getattr(module, "SERVICE", None)
    if service is not None and not _found(service.sdk):
        raise ImportError(f"{name} needs the package {service.sdk}; try: pip install '{service.install}'")
    return bare(name, **options)


def bare(name: str, **options: str) -> Provider:
    """As `create`, also where the SDK is missing: enough to be asked for capabilities. Raises ValueError."""
    return cast(Provider, _module(name).create(**options))


def warm(name: str) -> None:
    """Import a service's SDK now (up to a second), and not within the first call's time."""
    module = _module(name)
    service = getattr(module, "SERVICE", None)
    if hasattr(module, "load_sdk"):  # it has to be told something first
        module.load_sdk()
    elif service is not None and service.sdk:
        importlib.import_module(service.sdk)


def require_key(name: str, base_url: str = "", model: str = "") -> None:
    """Raises Final("auth"), naming the variable to set, where a call would be refused for want of a key.

    The model counts where it decides whose key is used: `litellm:openai/...`.
    """
    service = _service(name, model)
    if service is not None:
        service.endpoint(base_url)


def endpoint(name: str, base_url: str = "", model: str = "") -> str:
    """Where a service is reached, without credentials; '' for what is not reached over the network.

    For a model of litellm it is its vendor's address, '' where litellm alone knows that.
    """
    service = _service(name, model)
    return public(service.base_url(base_url)) if service is not None else ""


def key_status() -> list[KeyStatus]:
    """For each service that is reached over the network: is its key set, where is it, is its SDK here."""
    return [_status(name) for name in names() if hasattr(_module(name), "SERVICE")]


def _module(name: str) -> Any:
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    if name not in names():
        raise ValueError(f"unknown provider {name!r}; there are: {', '.join(names())}")
    return importlib.import_module(f"providers.{_FILES.get(name, name)}")


def _service(name: str, model: str) -> Service | None:
    """Whom a call is made to; a module that passes calls on tells it by the model."""
    module = _module(name)
    behind = getattr(module, "service_of", None)
    found: Service | None = behind(model) if behind else getattr(module, "SERVICE", None)
    return found


def _status(name: str) -> KeyStatus:
    service = _module(name).SERVICE
    return KeyStatus(
        provider=name,
        key_variables=service.key_variables,
        key_set=bool(service.key()),
        key_needed=service.key_needed,
        base_url=public(service.base_url()),
        sdk=service.sdk,
        sdk_found=_found(service.sdk),
    )


def _found(sdk: str) -> bool:
    try:
        return find_spec(sdk) is not None
    except ModuleNotFoundError:  # the package that would hold it is missing
        return False
