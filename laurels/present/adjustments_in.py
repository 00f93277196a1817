"""Bodies that apply an adjustment, made from the registry of kinds: one struct per kind, told apart by `kind`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from laurels.engine.adjustments import KINDS, Adjustment, Caller, kinds_for
from laurels.engine.fields import Field
from laurels.present.shapes import Actor, AdjustmentId, Reason, ShortName

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


BASES: dict[Caller, tuple[str, type[Struct]]] = {"app": ("", AdjustmentIn), "user": ("Own", OwnAdjustmentIn)}
"""The beginning of a body's name, and its base, for each caller."""


def body_of(kind: type[Adjustment], caller: Caller) -> type[Struct]:
    """The body that applies this kind: `GrantIn`, or `OwnPauseIn` for users themselves."""
    prefix, base = BASES[caller]
    return msgspec.defstruct(
        f"{prefix}{kind.__name__}In",
        [_member(field, caller) for field in kind.fields()],
        bases=(base,),
        namespace={"__doc__": kind.meaning()},
        module=__name__,
        tag=kind.kind,
        frozen=True,
        kw_only=True,
    )


def bodies_for(caller: Caller) -> list[type[Struct]]:
    """The bodies of all kinds that this caller may apply."""
    return [body_of(kind, caller) for kind in kinds_for(caller)]


def decoder_for(bodies: list[type[Struct]]) -> msgspec.json.Decoder[Any]:
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
    return {
        kind.kind: {"id": f"{kind.kind}-1", "kind": kind.kind, **KINDS[kind.kind].example, **why}
        for kind in kinds_for(caller)
    }


def _member(field: Field, caller: Caller) -> Any:
    """A field as `defstruct` takes it. Users themselves leave nothing out: they name the streak that they pause."""
    if field.default is None or caller == "user":
        return field.name, _type_of(field)
    return field.name, _type_of(field) | UnsetType, UNSET


def _type_of(field: Field) -> Any:
    if field.type == "number":
        help_text = field.help if field.zero else f"{field.help}; not 0"
        return Annotated[int, Meta(ge=field.least, le=field.most, description=help_text)]
    if field.type == "date":
        return Annotated[date, Meta(description=field.help)]
    return ShortName
