"""Sentences from a small grammar: a meaning is who did what to whom and where, a form is how that is said.

All forms of a meaning are paraphrases. The words alone do not tell the meaning: the cat that chased the dog is not the
dog that chased the cat.
"""

from typing import NamedTuple

NOUNS = [
    "cat", "dog", "horse", "goat", "wolf", "fox", "bear", "lion", "monkey", "rabbit", "sheep", "goose", "duck",
    "parrot", "spider", "snake", "farmer", "doctor", "lawyer", "teacher", "nurse", "sailor", "soldier", "painter",
    "singer", "baker", "hunter", "judge", "priest", "king", "queen", "child", "neighbour", "stranger", "thief",
    "clown",
]  # fmt: skip
# Past and participle are one word, so that no form of a sentence tells another verb than its paraphrases.
VERBS = [
    "chased", "followed", "watched", "visited", "helped", "called", "kicked", "pushed", "pulled", "carried",
    "praised", "blamed", "greeted", "attacked", "rescued", "frightened", "admired", "ignored", "trusted", "warned",
    "touched", "painted", "hugged", "pleased",
]  # fmt: skip
PLACES = [
    "garden", "kitchen", "forest", "field", "harbour", "street", "castle", "desert", "village", "market", "tunnel",
    "library", "church", "cellar", "stable", "park",
]  # fmt: skip
WORDS = (NOUNS, VERBS, NOUNS, PLACES)  # of each part of a meaning

FORMS = {
    "active": "the {0} {1} the {2} in the {3}",
    "active, place first": "in the {3} the {0} {1} the {2}",
    "passive": "the {2} was {1} by the {0} in the {3}",
    "passive, place first": "in the {3} the {2} was {1} by the {0}",
    "cleft of the agent": "it was the {0} that {1} the {2} in the {3}",
    "cleft of the patient": "it was the {2} that the {0} {1} in the {3}",
    "passive cleft": "it was the {2} that was {1} by the {0} in the {3}",
    "pseudo-cleft": "what the {0} {1} in the {3} was the {2}",
}


class Meaning(NamedTuple):
    """Indices into NOUNS, VERBS, NOUNS, PLACES."""

    agent: int
    verb: int
    patient: int
    place: int


def sentence(meaning: Meaning, form: str) -> str:
    """The meaning said in a form.

    >>> sentence(Meaning(0, 0, 1, 0), "passive")
    'the dog was chased by the cat in the garden'
    """
    return FORMS[form].format(*(words[i] for words, i in zip(WORDS, meaning, strict=True)))
