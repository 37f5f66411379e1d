"""Every construct of the language as a question, in n2gdb's words and in SQL over the same rows.

In SQL a neuron's trie is the table ``node``, roots included: ``pre`` to ``last`` is a node's preorder
interval, ``level`` its number of ancestors, ``best`` the best activation through it. The table ``step`` holds
what neurons are compared by, see ``n2gdb.storage.build.likeness``: ``path`` is a step's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from n2gdb.core.tokens import KINDS

__all__ = ["CONSTRUCTS", "Construct"]


@dataclass(frozen=True, slots=True)
class Construct:
    """One question; ``{a}`` to ``{c}`` are words, ``{pair}`` two and ``{text}`` ten, ``{neuron}`` a name.

    ``sql`` counts what ``query`` finds, or gives its rows where it ``groups``; ``$a`` to ``$c`` are the
    words' normalised texts, ``$x`` and ``$y`` the ids of the tokens of ``{a}`` and ``{b}``, ``$n`` the
    neuron's id; the table ``text`` holds the tokens of ``{text}``.
    """

    name: str
    query: str
    sql: str
    groups: bool = False


def _reads(column: str, *names: str) -> str:
    norms = ", ".join(f"${name}" for name in names)
    return f"{column} IN (SELECT id FROM token WHERE norm IN ({norms}))"


def _is(column: str, kind: str) -> str:
    bit = 1 << list(KINDS).index(kind)
    return f"{column} IN (SELECT id FROM token WHERE classes & {bit} > 0)"


def _fits(column: str, expression: str) -> str:
    whole = f"regexp_full_match(text, '{expression}')"
    bare = f"starts_with(text, ' ') AND regexp_full_match(text[2:], '{expression}')"
    return f"{column} IN (SELECT id FROM token WHERE {whole} OR {bare})"


def _nodes(condition: str, count: str = "count(DISTINCT node.neuron)") -> str:
    return f"SELECT {count} FROM node WHERE {condition}"


def _neurons(condition: str) -> str:
    return f"SELECT count(*) FROM neuron WHERE {condition}"


def _nested(*names: str) -> str:
    """Join nodes of one path, the deepest first."""
    joined = f"node {names[0]}"
    for deeper, nearer in pairwise(names):
        joined += (
            f" JOIN node {nearer} ON {deeper}.neuron = {nearer}.neuron"
            f" AND {deeper}.pre > {nearer}.pre AND {deeper}.pre <= {nearer}.last"
        )
    return f"SELECT count(DISTINCT {names[0]}.neuron) FROM {joined} WHERE {names[-1]}.depth > 0 AND "


_A, _B = _reads("token", "a"), _reads("act_token", "b")
_B_BEFORE_A = f"{_reads('token', 'b')} AND {_reads('act_token', 'a')}"
_A_BEFORE_B = f"depth > 0 AND {_A} AND {_B}"
_FIRES_ON_A = f"depth = 0 AND {_A}"


def _has(condition: str) -> str:
    return f"id IN (SELECT neuron FROM node WHERE {condition})"


def _firing(position: str) -> str:
    """Run every trie on the text: of the patterns whose nodes all match, the longest counts."""
    return f"""
        WITH hit AS (
            SELECT n.*, t.position FROM node n JOIN text t ON t.token = n.act_token
            JOIN text u ON u.token = n.token AND u.position = t.position - n.depth WHERE {position}),
        whole AS (
            SELECT e.neuron, e.position, e.pre, e.depth, e.level, e."end" FROM hit e JOIN hit a
            ON a.neuron = e.neuron AND a.position = e.position AND e.pre BETWEEN a.pre AND a.last
            WHERE e."end" IS NOT NULL GROUP BY ALL HAVING count(*) = e.level + 1),
        counting AS (
            SELECT neuron, max({{'depth': depth, 'level': level, 'end': "end"}})."end" AS activation
            FROM whole GROUP BY neuron, position)
        SELECT count(DISTINCT neuron) FROM counting WHERE activation >= 0.5"""


_SHARED = """
    WITH shared AS (
        SELECT b.neuron, sum(least(a.weight, b.weight)) AS least FROM step a JOIN step b USING (path)
        WHERE a.neuron = $n AND b.neuron <> $n GROUP BY b.neuron)"""
_SCORE = "least / (weight + (SELECT weight FROM neuron WHERE id = $n) - least)"
_SIMILAR = f"""{_SHARED}
    SELECT count(*) FROM shared JOIN neuron ON id = neuron WHERE {_SCORE} >= 0.1"""


def _overlap(activating: str, context: str, above: float) -> str:
    """Compare the distinct tokens of both roles; ``m`` is the named neuron, ``o`` the other."""
    return f"""
        WITH mine AS (SELECT DISTINCT depth > 0 AS context, token FROM node WHERE neuron = $n),
        shared AS (
            SELECT n.neuron, count(DISTINCT n.token) FILTER (n.depth = 0)::DOUBLE AS activating,
                count(DISTINCT n.token) FILTER (n.depth > 0)::DOUBLE AS context
            FROM node n JOIN mine ON n.token = mine.token AND (n.depth > 0) = mine.context
            WHERE n.neuron <> $n GROUP BY n.neuron)
        SELECT count(*) FROM shared JOIN neuron o ON o.id = neuron JOIN neuron m ON m.id = $n
        WHERE CASE WHEN {activating} = 0 THEN 1 ELSE shared.activating / {activating} END >= {above}
            AND CASE WHEN {context} = 0 THEN 1 ELSE shared.context / {context} END >= {above}"""


# Every neuron that matches has a place, the one that is named first; the last place is their number.
_RANKED = f"""{_SHARED},
    ranked AS (
        SELECT row_number() OVER (ORDER BY id <> $n, coalesce({_SCORE}, 0) DESC, id) AS place
        FROM neuron LEFT JOIN shared ON id = shared.neuron
        WHERE {_has(_FIRES_ON_A)})
    SELECT coalesce(max(place), 0) FROM ranked"""

CONSTRUCTS = (
    Construct("'a'", "neurons MATCHING '{a}'", _nodes(_FIRES_ON_A)),
    Construct("'a' BEFORE 'b'", "neurons MATCHING '{a}' BEFORE '{b}'", _nodes(_A_BEFORE_B)),
    Construct("'a' AFTER 'b'", "neurons MATCHING '{b}' AFTER '{a}'", _nodes(_A_BEFORE_B)),
    Construct(
        "'a' BEFORE/3 'b'", "neurons MATCHING '{a}' BEFORE/3 '{b}'", _nodes(f"{_A_BEFORE_B} AND depth <= 3")
    ),
    Construct("'a' THEN 'b'", "neurons MATCHING '{a}' THEN '{b}'", _nodes(f"{_A_BEFORE_B} AND depth = 1")),
    Construct(
        "'a' NEAR/3 'b'",
        "neurons MATCHING '{a}' NEAR/3 '{b}'",
        _nodes(f"depth BETWEEN 1 AND 3 AND ({_A} AND {_B} OR {_B_BEFORE_A})"),
    ),
    Construct(
        "'a' BEFORE 'b' BEFORE 'c'",
        "neurons MATCHING '{a}' BEFORE '{b}' BEFORE '{c}'",
        _nested("p", "q")
        + f"{_reads('p.token', 'a')} AND {_reads('q.token', 'b')} AND {_reads('q.act_token', 'c')}",
    ),
    Construct("'a' BEFORE ...", "neurons MATCHING '{a}' BEFORE ...", _nodes(f"depth > 0 AND {_A}")),
    Construct(
        "'a' BEFORE ... BEFORE 'b'",
        "neurons MATCHING '{a}' BEFORE ... BEFORE '{b}'",
        _nodes(f"{_A_BEFORE_B} AND depth >= 2"),
    ),
    Construct(
        "'a' THEN _ THEN 'b'",
        "neurons MATCHING '{a}' THEN _ THEN '{b}'",
        _nodes(f"{_A_BEFORE_B} AND depth = 2"),
    ),
    Construct(
        "('a' | 'b') BEFORE 'c'",
        "neurons MATCHING ('{a}' | '{b}') BEFORE '{c}'",
        _nodes(f"depth > 0 AND {_reads('token', 'a', 'b')} AND {_reads('act_token', 'c')}"),
    ),
    Construct(
        "/expr/", "neurons MATCHING /ba.*[aeo]/", _nodes(f"depth = 0 AND {_fits('token', 'ba.*[aeo]')}")
    ),
    Construct(
        "/expr/i BEFORE 'b'",
        "neurons MATCHING /ba.*[aeo]/i BEFORE '{b}'",
        _nodes(f"depth > 0 AND {_fits('token', '(?i)ba.*[aeo]')} AND {_B}"),
    ),
    Construct(
        "/expr/ BEFORE /expr/",
        "neurons MATCHING /ba.*/ BEFORE /[0-9]+/",
        _nodes(f"depth > 0 AND {_fits('token', 'ba.*')} AND {_fits('act_token', '[0-9]+')}"),
    ),
    Construct("<digit>", "neurons MATCHING <digit>", _nodes(f"depth = 0 AND {_is('token', 'digit')}")),
    Construct(
        "<upper> BEFORE 'b'",
        "neurons MATCHING <upper> BEFORE '{b}'",
        _nodes(f"depth > 0 AND {_is('token', 'upper')} AND {_B}"),
    ),
    Construct(
        "<title> THEN <word>",
        "neurons MATCHING <title> THEN <word>",
        _nodes(f"depth = 1 AND {_is('token', 'title')} AND {_is('act_token', 'word')}"),
    ),
    Construct(
        "<digit> BEFORE <upper> BEFORE <punct>",
        "neurons MATCHING <digit> BEFORE <upper> BEFORE <punct>",
        _nested("p", "q")
        + f"{_is('p.token', 'digit')} AND {_is('q.token', 'upper')} AND {_is('q.act_token', 'punct')}",
    ),
    Construct(
        "!'a' BEFORE 'b'", "neurons MATCHING !'{a}' BEFORE '{b}'", _nodes(f"depth > 0 AND NOT {_A} AND {_B}")
    ),
    Construct(
        "!<word> THEN 'b'",
        "neurons MATCHING !<word> THEN '{b}'",
        _nodes(f"depth = 1 AND NOT {_is('token', 'word')} AND {_B}"),
    ),
    Construct("$x BEFORE $x", "neurons MATCHING $x BEFORE $x", _nodes("depth > 0 AND token = act_token")),
    Construct(
        "$x BEFORE $x BEFORE ...",
        "neurons MATCHING $x BEFORE $x BEFORE ...",
        _nested("p", "q") + "p.token = q.token",
    ),
    Construct(
        "$x BEFORE $y BEFORE $x BEFORE $y",
        "neurons MATCHING $x BEFORE $y BEFORE $x BEFORE $y",
        _nested("p", "q", "r") + "p.token = r.token AND q.token = r.act_token",
    ),
    Construct(
        "$x THEN 'b' BEFORE $x",
        "neurons MATCHING $x THEN '{b}' BEFORE $x",
        _nested("p", "q") + f"p.depth = q.depth + 1 AND {_reads('q.token', 'b')} AND p.token = p.act_token",
    ),
    Construct("MENTIONING 'a'", "neurons MENTIONING '{a}'", _nodes(_A)),
    Construct("ACTIVATING ON 'a'", "neurons ACTIVATING ON '{a}'", _nodes(_FIRES_ON_A)),
    Construct(
        "several tokens", 'neurons MATCHING "{pair}"', _nodes("depth = 1 AND token = $x AND act_token = $y")
    ),
    Construct(
        "AND",
        "neurons MATCHING '{a}' BEFORE ... AND MATCHING '{b}'",
        _neurons(f"{_has(f'depth > 0 AND {_A}')} AND {_has('depth = 0 AND ' + _reads('token', 'b'))}"),
    ),
    Construct(
        "OR",
        "neurons MATCHING '{a}' OR MATCHING '{b}' BEFORE '{c}'",
        _neurons(
            f"{_has(_FIRES_ON_A)} OR "
            + _has(f"depth > 0 AND {_reads('token', 'b')} AND {_reads('act_token', 'c')}")
        ),
    ),
    Construct(
        "AND NOT",
        "neurons MATCHING '{a}' AND NOT MATCHING '{b}' BEFORE ...",
        _neurons(f"{_has(_FIRES_ON_A)} AND NOT " + _has(f"depth > 0 AND {_reads('token', 'b')}")),
    ),
    Construct(
        "WHERE f1, layer IN",
        "neurons MATCHING '{a}' BEFORE '{b}' WHERE f1 >= 0.6 AND layer IN 0..2",
        _neurons(f"{_has(_A_BEFORE_B)} AND f1 >= 0.6::FLOAT AND layer BETWEEN 0 AND 2"),
    ),
    Construct(
        "WHERE arithmetic, list",
        "neurons MATCHING '{a}' WHERE n_context / n_activating > 8 AND layer IN (0, 2, 4)",
        _neurons(f"{_has(_FIRES_ON_A)} AND n_context / n_activating > 8 AND layer IN (0, 2, 4)"),
    ),
    Construct(
        "WHERE activation, importance",
        "neurons MATCHING '{a}' BEFORE '{b}' WHERE activation > 0.9 AND importance > 0.8",
        _nodes(f"{_A_BEFORE_B} AND best > 0.9::FLOAT AND importance > 0.8::FLOAT"),
    ),
    Construct(
        "ORDER BY importance",
        "neurons MATCHING '{a}' BEFORE '{b}' ORDER BY importance DESC, layer",
        _nodes(_A_BEFORE_B),
    ),
    Construct("IN MODEL", "neurons IN MODEL 'synthetic' MATCHING '{a}'", _nodes(_FIRES_ON_A)),
    Construct(
        "patterns MATCHING",
        "patterns MATCHING '{a}' BEFORE '{b}'",
        "SELECT count(*) FROM (SELECT DISTINCT e.neuron, e.pre FROM node e JOIN node c ON e.neuron = c.neuron"
        " AND e.pre BETWEEN c.pre AND c.last"
        f' WHERE e."end" IS NOT NULL AND c.depth > 0 AND {_reads("c.token", "a")}'
        f" AND {_reads('c.act_token', 'b')})",
    ),
    Construct(
        "COUNT BY layer",
        "COUNT neurons MATCHING '{a}' BY layer",
        f"SELECT layer, count(*) FROM neuron WHERE {_has(_FIRES_ON_A)} GROUP BY layer",
        groups=True,
    ),
    Construct(
        "COUNT BY activating",
        "COUNT neurons MATCHING '{a}' BEFORE ... BY activating",
        "SELECT text, count(DISTINCT neuron) FROM node JOIN token ON token.id = act_token"
        f" WHERE depth > 0 AND {_reads('node.token', 'a')} GROUP BY text",
        groups=True,
    ),
    Construct(
        "COUNT BY context",
        "COUNT neurons MATCHING '{b}' BY context",
        "SELECT text, count(DISTINCT neuron) FROM node JOIN token ON token.id = node.token"
        f" WHERE depth > 0 AND {_B} GROUP BY text",
        groups=True,
    ),
    Construct(
        "tokens ACTIVATING",
        "tokens ACTIVATING {neuron}",
        _nodes("neuron = $n AND depth = 0", "count(DISTINCT token)"),
    ),
    Construct(
        "tokens IN CONTEXT OF",
        "tokens IN CONTEXT OF {neuron}",
        _nodes("neuron = $n AND depth > 0", "count(DISTINCT token)"),
    ),
    Construct(
        "FIRING ON text AT -1",
        'neurons FIRING ON "{text}" AT -1 USING graph',
        _firing("t.position = (SELECT max(position) FROM text)"),
    ),
    Construct("FIRING ON text", 'neurons FIRING ON "{text}" USING graph', _firing("true")),
    Construct("SIMILAR TO", "neurons SIMILAR TO {neuron} ABOVE 0.1", _SIMILAR),
    Construct(
        "SIMILAR TO USING tokens",
        "neurons SIMILAR TO {neuron} USING tokens ABOVE 0.5",
        _overlap("greatest(o.n_activating, m.n_activating)", "greatest(o.n_context, m.n_context)", 0.5),
    ),
    Construct(
        "SUBSET OF", "neurons SUBSET OF {neuron} ABOVE 0.5", _overlap("o.n_activating", "o.n_context", 0.5)
    ),
    Construct(
        "SUPERSET OF",
        "neurons SUPERSET OF {neuron} ABOVE 0.5",
        _overlap("m.n_activating", "m.n_context", 0.5),
    ),
    Construct(
        "RANK BY SIMILARITY",
        "neurons MATCHING '{a}' RANK BY SIMILARITY TO {neuron}",
        _RANKED,
    ),
)
