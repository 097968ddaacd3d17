"""Settings and host.json as the host reads them."""

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

_HOST_JSON = "AzureFunctionsJobHost"


class HostError(Exception):
    """The app or its configuration cannot be run; the message says what to change."""


def load_settings(path: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Put the Values of a local.settings.json into the environment; what is set already wins."""
    if not path.exists():
        return
    try:
        values = json.loads(path.read_text())["Values"]
    except (ValueError, KeyError) as error:
        raise HostError(f"{path}: not a local.settings.json with Values ({error})") from None
    for name, value in values.items():
        environment.setdefault(name, str(value))


def load_host_json(root: Path, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return host.json, with what settings replace in it: `AzureFunctionsJobHost__extensions__queues__batchSize`."""
    try:
        content: dict[str, Any] = json.loads((root / "host.json").read_text())
    except (OSError, ValueError) as error:
        raise HostError(f"{root / 'host.json'}: {error}") from None
    for name, value in environment.items():
        head, *path = name.split("__")
        if head == _HOST_JSON and path:
            section = content
            for part in path[:-1]:
                section = section.setdefault(part, {})
            section[path[-1]] = value
    return content


def duration(text: str) -> float:
    """Return the seconds of a duration as host.json writes it, `hh:mm:ss`."""
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def resolve(text: str, environment: Mapping[str, str], where: str) -> str:
    """Replace each %SETTING% by its value. HostError names a setting that is not there."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environment:
            raise HostError(f"{where}: setting {name!r} is not set")
        return environment[name]

    resolved = re.sub(r"%([^%]+)%", value, text)
    if "%" in resolved:
        raise HostError(f"{where}: {text!r} has an unclosed %")
    return resolved


def connection_string(name: str, environment: Mapping[str, str], where: str) -> str:
    """Return a connection by the real host's order of names: AzureWebJobs<name>, then <name>."""
    for candidate in (f"AzureWebJobs{name}", name):
        if value := environment.get(candidate):
            return value
    raise HostError(f"{where}: setting {name!r} is not set")


def disabled(function: str, environment: Mapping[str, str]) -> bool:
    """Tell whether a function is switched off by a setting."""
    values = (environment.get(f"AzureWebJobs{mark}{function}{mark}Disabled", "") for mark in (".", "_"))
    return any(value.lower() in ("1", "true") for value in values)
