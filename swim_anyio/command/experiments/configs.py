"""The settings of an experiment: a preset and what the options override."""

import os
import re

from swim_core import Config, ConfigError, ConfigFields

from ..choices import Preset

__all__ = ["read_config"]


def read_config(
    preset: Preset | None,
    probe_interval: float | None,
    stall_tolerance: float | None,
    overrides: list[str],
    *,
    option: str = "--set",
) -> Config:
    """The settings that an agent would have in the same environment.

    Args:
        preset: else ``SWIM_PRESET``, else lan.
        probe_interval: seconds.
        stall_tolerance: seconds.
        overrides: "field=value", each read as the variable of that field would be; also "preset=wan".
        option: from which they come, for errors.

    Raises:
        ConfigError: if one can't be used.
    """
    environ = dict(os.environ)
    written: dict[str, str] = {}
    if preset is not None:
        environ["SWIM_PRESET"] = preset.value
    for override in overrides:
        field, separator, value = override.partition("=")
        variable = f"SWIM_{field.strip().upper()}"
        if variable == "SWIM_PRESET" and value.strip() in {one.value for one in Preset}:
            environ[variable] = value.strip()
            continue
        if not separator or variable not in _VARIABLES:
            known = ", ".join(sorted(name.removeprefix("SWIM_").lower() for name in _VARIABLES))
            raise ConfigError(f"{option} takes FIELD=VALUE, not {override!r}; fields: {known}")
        environ[variable] = value.strip()
        written[variable] = f"{option} {field.strip()}"
    given = {"probe_interval": probe_interval, "stall_tolerance": stall_tolerance}
    try:
        return Config.from_env(environ, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ConfigError as error:
        raise ConfigError(re.sub(r"SWIM_\w+", lambda found: written.get(found[0], found[0]), str(error))) from None


_VARIABLES = {f"SWIM_{name.upper()}" for name in ConfigFields.__annotations__}
