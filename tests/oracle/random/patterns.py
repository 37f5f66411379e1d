"""Patterns at random: some at a venture, most led by a path that is stored, so that they find something."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias

from n2gdb.core.tokens import without_space
from n2gdb.grammar.ast import (
    AllOf,
    AnyToken,
    LikeVariable,
    Link,
    Negated,
    OneOf,
    OtherVariable,
    Run,
    Step,
    TokenClass,
    TokenExpression,
    TokenKind,
    TokenLiteral,
    TokenPattern,
    TokenTest,
    Variable,
)

__all__ = ["EXPRESSIONS", "TokenPath", "random_pattern", "random_test", "text_along"]

#: The tokens of a stored pattern: depth and text, by rising depth.
TokenPath: TypeAlias = Sequence[tuple[int, str]]

#: Expressions that RE2 and Python read alike.
EXPRESSIONS = (
    *("[a-z]+", "the|end", ".*e.*", "[A-Z][a-z]*", r"\d+", r"\w+", "(n|N)ew", ".", "..", "t.e", "d?og"),
    *("[^a-z]+", "(?:dog|cat)s?", r"\s+", r"\S\S\S", "x*", r"\W", " .*", "^the$", "(?i:THE)", "a|an|and"),
)

_LINKS = (
    Link(2),
    Link(2, 4),
    Link(2, 3, either=True),
    Link(),
    Link(),
    Link(1, 1),
    Link(1, 2),
    Link(1, 4),
    Link(1, 2, either=True),
    Link(either=True),
)


def random_pattern(random: Random, texts: Sequence[str], path: TokenPath) -> TokenPattern:
    """Return a pattern, four times in five one that holds of ``path``, or nearly."""
    made = _led(random, texts, path) if random.random() < 0.8 else _stray(random, texts)
    names = [step.name for step in made.steps if isinstance(step, Variable)]
    if not names or random.random() < 0.6:
        return made
    steps = list(made.steps)
    compared: type[LikeVariable] | type[OtherVariable] = random.choice((LikeVariable, OtherVariable))
    places = [place for place, step in enumerate(steps) if not isinstance(step, AnyToken | Run)]
    place, name = random.choice(places), random.choice(names)
    steps[place] = compared(name)
    if not any(isinstance(step, Variable) and step.name == name for step in steps):
        return made
    return TokenPattern(tuple(steps), made.links)


def random_test(random: Random, texts: Sequence[str], text: str | None = None, depth: int = 0) -> TokenTest:
    """Return a test that most often takes ``text``, or one of ``texts`` where that is None."""
    text = random.choice(texts) if text is None or random.random() < 0.07 else text
    kind = random.random()
    if kind < 0.5 or depth > 2:
        return _literal(random, text)
    if kind < 0.62:
        return _expression(random, text)
    if kind < 0.72:
        return TokenClass(random.choice(list(TokenKind)))
    if kind < 0.77:
        tests = [random_test(random, texts, text, depth + 1), random_test(random, texts, text, depth + 1)]
        return AllOf(tuple(tests))
    if kind < 0.88:
        others = [random_test(random, texts, None, depth + 1) for _ in range(random.choice((1, 1, 1, 2)))]
        tests = [random_test(random, texts, text, depth + 1), *others]
        random.shuffle(tests)
        return OneOf(tuple(tests))
    return Negated(random_test(random, texts, None, depth + 1))


def text_along(random: Random, texts: Sequence[str], path: TokenPath) -> str:
    """Return a text that ``path`` holds of, its gaps filled with any tokens."""
    named = dict(path)
    deepest = path[-1][0]
    words = [named.get(depth) or random.choice(texts) for depth in range(deepest, -1, -1)]
    if random.random() < 0.3:
        words.append(random.choice(texts))
    return "".join(words)


def _literal(random: Random, text: str) -> TokenLiteral:
    if random.random() < 0.3:
        return TokenLiteral(text, exact=True)
    changed: Callable[[str], str] = random.choice((str, str, without_space, str.upper, str.title))
    return TokenLiteral(changed(text))


def _expression(random: Random, text: str) -> TokenExpression:
    bare = without_space(text)
    if not re.fullmatch("[A-Za-z0-9]+", bare) or random.random() < 0.4:
        return TokenExpression(random.choice(EXPRESSIONS), random.random() < 0.3)
    source = random.choice((bare, f" ?{bare}", f"{bare[0]}.*", f".*{bare[-1]}", f"({bare}|xyzzy)"))
    return TokenExpression(source, random.random() < 0.3)


def _stray(random: Random, texts: Sequence[str]) -> TokenPattern:
    steps = [_step(random, texts) for _ in range(random.choice((1, 1, 2, 2, 2, 2, 3, 3, 4)))]
    return _linked(steps, [random.choice(_LINKS) for _ in steps[1:]])


def _step(random: Random, texts: Sequence[str]) -> Step:
    kind = random.random()
    if kind < 0.6:
        return random_test(random, texts)
    if kind < 0.74:
        return Variable(random.choice(("x", "y")))
    return Run() if kind < 0.88 else AnyToken()


def _led(random: Random, texts: Sequence[str], path: TokenPath) -> TokenPattern:
    """Name some of the tokens of a path, at distances that are nearly always right."""
    context = list(path[1:])
    number = min(random.choice((0, 0, 1, 1, 1, 1, 2, 2, 3)), len(context))
    kept = sorted(random.sample(context, number), reverse=True)
    if random.random() < 0.7 or not kept:
        kept.append(path[0])
    steps: list[Step] = []
    links: list[Link] = []
    above: int | None = None
    for depth, text in kept:
        if above is not None:
            _join(random, steps, links, above - depth)
        step = _naming(random, texts, path, text)
        if above is not None and above - depth == 1 and random.random() < 0.3 and links[-1] == Link(1, 1):
            step = _together(random, steps[-1], text) or step
            if isinstance(step, TokenLiteral) and step.text.endswith(text) and step.text != text:
                steps.pop()
                links.pop()
        steps.append(step)
        above = depth
    if above:
        _join(random, steps, links, above)
        steps.append(Run() if random.random() < 0.7 else AnyToken())
    if random.random() < 0.12:
        steps.insert(0, Run() if random.random() < 0.5 else AnyToken())
        links.insert(0, random.choice((Link(), Link(1, 1), Link(1, 3))))
    return _linked(steps, links)


def _naming(random: Random, texts: Sequence[str], path: TokenPath, text: str) -> Step:
    repeated = [each for _, each in path].count(text) > 1
    if random.random() < (0.5 if repeated else 0.06):
        return Variable("x" if repeated or random.random() < 0.5 else "y")
    return random_test(random, texts, text)


def _together(random: Random, before: Step, text: str) -> TokenLiteral | None:
    """Write two adjacent tokens as one text."""
    if not isinstance(before, TokenLiteral):
        return None
    joined = before.text + text
    if before.exact:
        return TokenLiteral(joined, exact=True)
    return TokenLiteral(random.choice((joined, joined.lower(), without_space(joined))))


def _join(random: Random, steps: list[Step], links: list[Link], distance: int) -> None:
    """Add a link over a distance, sometimes with a gap's step on the way."""
    kind = random.random()
    if distance > 1 and kind < 0.15:
        links.append(random.choice((Link(), Link(1, 1))))
        steps.append(Run())
        links.append(random.choice((Link(), Link(1, 1))))
    elif distance == 2 and kind < 0.35:
        links += [Link(1, 1), Link(1, 1)]
        steps.append(AnyToken())
    elif kind < 0.5:
        links.append(Link(1, distance + random.randint(0, 1)))
    elif distance == 1 and kind < 0.75:
        links.append(Link(1, 1))
    elif kind < 0.8:
        links.append(Link(1, random.choice((None, distance)), either=True))
    else:
        links.append(Link())


def _linked(steps: Sequence[Step], links: Sequence[Link]) -> TokenPattern:
    """Let NEAR stand only where the language has it: between two tokens, and never in a chain."""
    allowed: list[Link] = []
    for place, link in enumerate(links):
        named = not any(isinstance(step, Run | AnyToken) for step in steps[place : place + 2])
        if link.either and (not named or (allowed and allowed[-1].either)):
            link = Link(link.least, link.most)
        allowed.append(link)
    return TokenPattern(tuple(steps), tuple(allowed))
