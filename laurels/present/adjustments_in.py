"""Bodies that apply an adjustment, made from the registry of kinds: one struct per kind, distinguished by `kind`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from laurels.engine.adjustments import Adjustment, Caller, kinds_for
from laurels.engine.fields import Field
from laurels.present.base import Actor, AdjustmentId, Reason, ShortName, ZoneName

ENVELOPE = ("kind", "id", "reason", "actor")
"""The fields of a body that are not data of the adjustment."""


class AdjustmentIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """An adjustment to apply to a user. The same `id` again counts once."""

    id: AdjustmentId
    reason: Reason
    actor: Actor | UnsetType = UNSET


class OwnAdjustmentIn(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """An adjustment that users apply to themselves, as far as the catalog allows. The same `id` again counts once."""

    id: AdjustmentId


B = TypeVar("B", bound=Struct)

LIMITS: dict[Caller, str] = {"app": "", "user": " Applied by users themselves, within the limits of the catalog."}
"""What each caller reads after the meaning of a kind."""


def adjustment_bodies() -> tuple[type[AdjustmentIn], ...]:
    """The bodies of the kinds that the app's back end may apply: `GrantIn`, `PointsIn`, ..."""
    return tuple(_body_of(kind, "app", "", AdjustmentIn) for kind in kinds_for("app"))


def own_adjustment_bodies() -> tuple[type[OwnAdjustmentIn], ...]:
    """The bodies of the kinds that users may apply to themselves: `OwnPauseIn`, ..."""
    return tuple(_body_of(kind, "user", "Own", OwnAdjustmentIn) for kind in kinds_for("user"))


@cache
def _body_of(kind: type[Adjustment], caller: Caller, prefix: str, base: type[B]) -> type[B]:
    """The one body by which this caller applies this kind."""
    body = msgspec.defstruct(
        f"{prefix}{kind.__name__}In",
        [_member(field, caller) for field in kind.fields()],
        bases=(base,),
        namespace={"__doc__": kind.meaning() + LIMITS[caller]},
        module=__name__,
        tag=kind.kind,
        frozen=True,
        kw_only=True,
    )
    return cast(type[B], body)


def decoder_for(bodies: Sequence[type[Struct]]) -> msgspec.json.Decoder[Any]:
    """A decoder of any of these bodies."""
    union: Any = bodies[0]
    for body in bodies[1:]:
        union = union | body
    return msgspec.json.Decoder(union)


def kind_of(body: Struct) -> str:
    """The kind of adjustment that a body applies."""
    return str(type(body).__struct_config__.tag)


def data_of(body: Struct) -> dict[str, Any]:
    """The data of the adjustment that a body applies, as JSON."""
    values: dict[str, Any] = msgspec.to_builtins(body)
    return {name: value for name, value in values.items() if name not in ENVELOPE}


def examples_for(caller: Caller) -> dict[str, dict[str, Any]]:
    """A complete body of each kind, by kind, for the API's documentation."""
    why = {"reason": "a thank-you"} if caller == "app" else {}
    return {kind.kind: {"id": f"{kind.kind}-1", "kind": kind.kind, **kind.example, **why} for kind in kinds_for(caller)}


def _member(field: Field, caller: Caller) -> Any:
    """A field as `defstruct` takes it. Users themselves leave nothing out: they name the streak that they pause."""
    if caller == "user":
        return field.name, ShortName if field.type == "streak_or_all" else _type_of(field)
    if field.default is None:
        return field.name, _type_of(field)
    return field.name, _type_of(field) | UnsetType, UNSET


def _type_of(field: Field) -> Any:
    if field.type == "number":
        description = field.description if field.zero else f"{field.description}; not 0"
        limits = {"type": "integer", "minimum": field.least, "maximum": field.most}
        return Annotated[int | float, Meta(description=description, extra_json_schema=limits)]  # 50.0 is 50
    if field.type == "flag":
        return Annotated[bool, Meta(description=field.description)]
    if field.type == "date":
        return Annotated[date, Meta(description=field.description)]
    if field.type == "zone":
        return ZoneName
    if field.type == "streak_or_all":
        return Annotated[ShortName, Meta(description="The name of a streak; left out: all of them")]
    return Annotated[ShortName, Meta(description=field.description)] if field.type == "point_kind" else ShortName
