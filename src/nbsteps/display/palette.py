"""Colours, as the design's tokens come out in JupyterLab, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

from nbsteps.core.states import StepState
from nbsteps.display.standing import STALE

_FAMILIES: Final = MappingProxyType(
    {
        StepState.RUNNING: "blue",
        StepState.RETRYING: "amber",
        STALE: "amber",
        StepState.WAITING: "purple",
        StepState.SUCCEEDED: "green",
        StepState.CACHED: "green",
        StepState.FAILED: "red",
        StepState.UPSTREAM_FAILED: "red",
        StepState.CRASHED: "red",
    }
)
"""State to the family of its hue; grey for the others."""

FAMILIES: Final = ("grey", "blue", "amber", "purple", "green", "red")


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one picture.

    Attributes:
        canvas: behind everything.
        surface: of nodes.
        frame: around the picture.
        border: around nodes.
        edge: of edges and arrows.
        strong: names.
        soft: numbers, and names of steps that nothing happens to.
        hue: family to the colour of marks and borders.
        ink: family to the colour of words.
        tint: family to the ground of nodes that need a person.
    """

    canvas: str
    surface: str
    frame: str
    border: str
    edge: str
    strong: str
    soft: str
    hue: Mapping[str, str]
    ink: Mapping[str, str]
    tint: Mapping[str, str]


def family(state: str) -> str:
    """The family of colours of a state."""
    return _FAMILIES.get(state, "grey")


def _by_family(*colours: str) -> Mapping[str, str]:
    return MappingProxyType(dict(zip(FAMILIES, colours, strict=True)))


LIGHT: Final = Palette(
    canvas="#fafafa",
    surface="#ffffff",
    frame="#e0e0e0",
    border="#d1d1d1",
    edge="#878787",
    strong="#000000",
    soft="#5c5c5c",
    hue=_by_family("#707070", "#1976d2", "#c8800e", "#56008c", "#239165", "#d32f2f"),
    ink=_by_family("#484848", "#104c86", "#805209", "#37005a", "#165d41", "#871e1e"),
    tint=_by_family("#f4f4f4", "#edf4fb", "#fbf5ec", "#f1ebf6", "#edf6f2", "#fbeeee"),
)

DARK: Final = Palette(
    canvas="#161616",
    surface="#212121",
    frame="#3b3b3b",
    border="#494949",
    edge="#808080",
    strong="#ffffff",
    soft="#b0b0b0",
    hue=_by_family("#9e9e9e", "#64b5f6", "#e0a63b", "#c9a0ee", "#55b989", "#f2605a"),
    ink=_by_family("#c1c1c1", "#9bcffa", "#ebc683", "#ddc3f4", "#94d3b5", "#f79995"),
    tint=_by_family("#2b2b2b", "#262d32", "#302c23", "#2e2b31", "#252d29", "#322626"),
)


def variables(palette: Palette) -> dict[str, str]:
    """The colours as CSS custom properties, name to value."""
    found: dict[str, str] = {}
    for field in fields(palette):
        value = getattr(palette, field.name)
        if isinstance(value, str):
            found[f"--nbs-{field.name}"] = value
        else:
            found |= {f"--nbs-{field.name}-{name}": colour for name, colour in value.items()}
    return found


def _named(kind: str) -> Mapping[str, str]:
    return _by_family(*(f"var(--nbs-{kind}-{name})" for name in FAMILIES))


NAMED: Final = Palette(
    canvas="var(--nbs-canvas)",
    surface="var(--nbs-surface)",
    frame="var(--nbs-frame)",
    border="var(--nbs-border)",
    edge="var(--nbs-edge)",
    strong="var(--nbs-strong)",
    soft="var(--nbs-soft)",
    hue=_named("hue"),
    ink=_named("ink"),
    tint=_named("tint"),
)
"""Every colour by its custom property, for a page that defines them."""
