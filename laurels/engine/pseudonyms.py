"""Pseudonyms: the names of users who do not want to show theirs on leaderboards. A user always has the same one."""

from __future__ import annotations

from laurels.errors import InvalidInput

PSEUDONYM_ID = "alias:"
"""How the id begins under which other users see a user with a pseudonym."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADJECTIVES = _words("""
amber azure bold brave breezy bright brisk calm candid cheery clever coral cosmic crimson curious daring dapper deft
eager early earnest fabled fair fleet fond frosty gentle gilded glad golden hardy hazel humble indigo jolly keen kind
lively lucid lucky lunar mellow merry mighty misty noble opal patient plucky polar proud quick quiet rapid ready rosy
rustic sage silver sunny swift
""")
ANIMALS = _words("""
badger bear beaver bee bison boar cat crane crow deer dingo dolphin dove duck eagle falcon ferret finch fox frog gecko
goat goose hare hawk heron horse ibex jay kestrel kite koala lark lemur lion llama lynx magpie marten mole moose moth
mouse newt okapi orca osprey otter owl panda penguin puffin quail raven robin seal sparrow stork swan tiger toad trout
turtle vole
""")
NUMBERS = 10_000


APART = 8
"""How many bytes of the seal are in the id of a pseudonym. Two users may share one of the 41 million names, but no id."""


def check_new_id(user_id: str) -> None:
    """Raise InvalidInput for the id of a new user that could be another user's pseudonym."""
    if user_id.startswith(PSEUDONYM_ID):
        raise InvalidInput("userId", f"ids that begin with '{PSEUDONYM_ID}' are made by Laurels; choose another")


def pseudonym_id(seal: bytes) -> str:
    """An id such as 'amber-otter-4821-93f1c07be2d45a68'. It is unique, unlike the name in it."""
    return f"{pseudonym(seal).lower().replace(' ', '-')}-{seal[-APART:].hex()}"


def pseudonym(seal: bytes) -> str:
    """A name such as 'Amber Otter 4821'. `seal` is a hash of the user's id that is keyed with the database's secret."""
    number = int.from_bytes(seal[:8], "big")
    number, tail = divmod(number, NUMBERS)
    number, animal = divmod(number, len(ANIMALS))
    adjective = ADJECTIVES[number % len(ADJECTIVES)]
    return f"{adjective.title()} {ANIMALS[animal].title()} {tail:04}"
