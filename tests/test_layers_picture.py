"""docs/layers.svg shows the packages and imports as they are in the code."""

from __future__ import annotations

from docs.layers import PICTURE, direct, drawing, imports, layers


def test_the_picture_of_the_layers_is_up_to_date() -> None:
    assert drawing() == PICTURE.read_text("utf-8"), "run python -m docs.layers"


def test_every_package_has_a_layer() -> None:
    assert imports().keys() <= layers().keys()


def test_an_import_that_follows_from_others_is_left_out() -> None:
    known = {"cli": {"service", "engine"}, "service": {"engine"}, "engine": set[str]()}

    assert direct(known) == [("cli", "service"), ("service", "engine")]
