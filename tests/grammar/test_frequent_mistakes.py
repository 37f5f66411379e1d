"""The mistakes that people make most are each answered with what to write instead, and a caret."""

from __future__ import annotations

import pytest

from n2gdb.errors import QuerySyntaxError
from n2gdb.query.parse import read_query

# A query with a ^ before the fault, and what is said.
CASES = [
    ("neurons MATCHING 'it'^s'", "a quote inside a token is written \\': the token ends before s"),
    ("neurons WHERE f1 ^=> 0.5", "=> is not a comparison: write >="),
    ("neurons WHERE f1 ^=< 0.5", "=< is not a comparison: write <="),
    ("neurons WHERE f1 ^>== 0.5", ">== is not a comparison: write one of = != < <= > >="),
    ("neurons WHERE f1 ^=== 0.5", "=== is not a comparison: write ="),
    ("neurons WHERE f1 ^≥ 0.5", "write >= for ≥"),
    ("neurons MENTIONING ^the", "the token the needs quotes: write 'the'"),
    ("neurons MATCHING ('a' | ^b)", "the token b needs quotes: write 'b'"),
    (
        "neurons MATCHING (^$x | 'a')",
        (
            "$x stands for one token of the whole pattern, so it cannot be one of several or "
            "negated: write it as a step of its own, as in $x BEFORE $x"
        ),
    ),
    (
        "neurons MATCHING ^!$x",
        "!$x compares with $x, which the pattern lacks: write $x BEFORE !$x",
    ),
    (
        "neurons MATCHING 'a' THEN^/2 'b'",
        "THEN takes no distance, it means the very next position: write BEFORE/3",
    ),
    ("neurons MATCHING ^<digits>", "no token class <digits>: did you mean <digit>?"),
    ("neurons MATCHING ^<dig", "this < is never closed: a class is written <digit>"),
    (
        "neurons MATCHING ^<foo>",
        (
            "no token class <foo>: there are <digit>, <punct>, <upper>, <title>, <word>, <space>, <lower>,"
            " <start>, <piece>, <start of text>"
        ),
    ),
    ("neurons MATCHING ^/ab 'c'", "this / is never closed: end the expression with / on the same line"),
    (
        "neurons MATCHING 'a' BEFORE ^/ab",
        "this / is never closed: end the expression with / on the same line",
    ),
    ("neurons MATCHING 'a' ^| 'b'", "alternatives stand in parentheses: write ('a' | 'b')"),
    ("neurons MATCHING 'a' BEFORE 'c' ^| 'b'", "alternatives stand in parentheses: write ('c' | 'b')"),
    (
        "neurons MATCHING 'a' AND ^<digit>",
        "AND joins clauses: write AND MATCHING <digit>, or BEFORE <digit> for the same pattern",
    ),
    (
        "neurons WHERE f1 > 0.5 ^MATCHING 'a'",
        "MATCHING stands before WHERE, ORDER BY and LIMIT: move it there",
    ),
    (
        "neurons WHERE f1 > 0.5 AND ^MATCHING 'a'",
        "MATCHING stands before WHERE, ORDER BY and LIMIT: move it there",
    ),
    (
        "^SELECT * FROM neurons",
        ("SELECT is not of this language: start with what you ask for, as in neurons RETURN neuron, f1"),
    ),
    (
        "^MATCH (n:Neuron) RETURN n",
        (
            "MATCH is not of this language: start with what you ask for, as in neurons MATCHING "
            "'the' BEFORE ..."
        ),
    ),
    ("^MATCHING 'a'", "a query starts with what it asks for: write neurons MATCHING"),
    ("neurons ^MATCH 'a'", "unexpected MATCH: did you mean MATCHING?"),
    (
        "neurons MATCHING 'a' NEAR^",
        "NEAR with nothing after it: a token in quotes or ... follows, as in NEAR 'the'",
    ),
    ("neurons MATCHING 'a' NEAR ^3 'b'", "a distance is joined to its word by a slash: write NEAR/3"),
    (
        "neurons MATCHING 'a' ^NEAR ...",
        "NEAR joins two tokens, neither of them ... or _: write BEFORE or AFTER",
    ),
    (
        "neurons MATCHING 'a' NEAR 'b' ^NEAR 'c'",
        "NEAR joins two tokens: write a chain of them as clauses joined by AND",
    ),
    ("neurons SIMILAR ^L4N1", "TO is missing after SIMILAR: write SIMILAR TO L4N1"),
    ("neurons SIMILAR TO ^'L4N1'", "a neuron's name stands without quotes: write L4N1"),
    ("neurons SIMILAR TO ^4.1", "4.1 is not a neuron's name: write L4N1"),
    ("neurons SIMILAR TO L4N1 USING ^cosine", "no metric cosine: did you mean cofiring?"),
    ("neurons SIMILAR TO L4N1 USING ^graphs", "no metric graphs: did you mean graph?"),
    ("neurons SIMILAR TO L4N1 ABOVE ^90", "ABOVE takes a similarity from 0 to 1, not 90"),
    ("neurons SIMILAR TO L4N1 ABOVE ^high", "ABOVE takes a similarity from 0 to 1, as in ABOVE 0.9"),
    ("neurons MATCHING ^‘the’", "‘ is a typographic quote: write ' or \""),
    ("neurons ORDER BY f1 ^RANK BY SIMILARITY TO L4N1", "RANK BY SIMILARITY is an order: leave ORDER BY out"),
    (
        "neurons RANK BY ^f1",
        "RANK BY ranks by similarity: write RANK BY SIMILARITY TO L3N45, or ORDER BY for fields",
    ),
    ("neurons RANK BY SIMILARITY ^L4N1", "TO is missing after SIMILARITY: write SIMILARITY TO L4N1"),
    ("COUNT neurons BY ^layers", "no group layers: did you mean layer?"),
    (
        "COUNT neurons BY ^foo",
        "no group foo: there are model, layer, state, activating, context, and every field",
    ),
    (
        "COUNT neurons ^GROUP BY layer",
        "no GROUP BY here: write COUNT neurons, and BY layer after what they match",
    ),
    ("COUNT^(*)", "COUNT takes no parentheses: write COUNT neurons, then what they match"),
    (
        "COUNT ^tokens",
        "COUNT takes neurons or patterns: write COUNT neurons, and BY activating after what they match",
    ),
    ("neurons ^BY layer", "BY groups a count: start the query with COUNT, or write ORDER BY"),
    ("neurons IN MODEL ^demo", "a model's name stands in quotes, as in IN MODEL 'gpt2'"),
    ("neurons IN ^layer 3", "layers are picked by WHERE: write WHERE layer = 3"),
    ("neurons FIRING ON ^hello", 'the text stands in quotes, as in FIRING ON "Everyone except"'),
    ("neurons FIRING ^'hello'", "ON is missing after FIRING: write FIRING ON 'hello'"),
    ("neurons FIRING ON ^'hello", "this ' is never closed: end the text with ' on the same line"),
    (
        "neurons FIRING ON 'hello' AT ^last",
        "AT takes the number of a token, 0 the first and -1 the last, as in AT -1",
    ),
    ("neurons SUBSET ^L4N1", "OF is missing after SUBSET: write SUBSET OF L4N1"),
    (
        "neurons WHERE layer ^BETWEEN 0 AND 3",
        "no BETWEEN here: a range is written layer IN 0..3, both ends included",
    ),
    (
        "neurons WHERE layer IN 0^-3",
        "a range is written with two dots, as in 0..3, and a list in parentheses, as in (1, 2)",
    ),
    ("neurons WHERE layer IN 0..^.3", "a range is written with two dots, as in 0..3"),
    (
        "neurons WHERE layer IN 3^",
        "a range is written with two dots, as in 0..3, and a list in parentheses, as in (1, 2)",
    ),
    ("neurons WHERE layer IN (^)", "a list holds at least one value, as in (1, 2)"),
    ("neurons WHERE f1 > 60^%", "no percentages here: write 0.6 for 60%"),
    ("neurons WHERE f1 > ^.5", "a number starts with a digit: write 0.5"),
    ("neurons WHERE state = ^dead", "dead is a state, no field: write it in quotes, 'dead'"),
    ("neurons WHERE f1 > 0.5 ^&& f1 < 1", "write AND"),
    ("neurons WHERE f1 > 0.5^, f1 < 1", "clauses and conditions are joined by AND or OR, not by a comma"),
    (
        "neurons WHERE f1 IS ^NULL",
        "a value that is missing is asked for by IS MISSING, one that is not by IS NOT MISSING",
    ),
    (
        "neurons WHERE state ^IS 'dead'",
        "no IS here: write =, and = 'dead' for a state; IS MISSING asks whether there is a value",
    ),
    ("neurons; ^neurons", "one query at a time: nothing may follow a semicolon"),
    ("neurons ^# all", "a comment starts with --"),
    (
        "neurons MATCHING ('a' ^BEFORE 'b')",
        "parentheses hold the alternatives of one position: write BEFORE outside of them",
    ),
    ("neurons MATCHING ('a' ^OR 'b')", "alternatives are separated by |, as in ('dog' | 'cat')"),
    (
        "neurons MENTIONING 'a' ^BEFORE 'b'",
        "MENTIONING takes one token: write MATCHING for a pattern with BEFORE",
    ),
    ("neurons MENTIONING ^...", "... is any token: a single token should stand here"),
    ("neurons MENTIONING ^$x", "$x stands for one token of a whole pattern: write it as a step of MATCHING"),
    (
        "neurons MATCHING ^NOT 'a'",
        "NOT stands before a clause: write NOT MATCHING, or ! before the token for any other one",
    ),
    ("neurons MATCHING 'a' ^-> 'b'", "-> joins no tokens: write BEFORE, or THEN for the very next position"),
    ("neurons MATCHING ^*", "unexpected *: write ... for any tokens, _ for exactly one"),
    ("neurons MATCHING 'a' BEFORE ^…", "… is a single sign: write ... with three full stops"),
    ("neurons MATCHING 'a' BEFORE ^..", "unexpected .: write ... for any tokens, _ for exactly one"),
    (
        "neurons MATCHING 'a' BEFORE^",
        "BEFORE with nothing after it: a token in quotes or ... follows, as in BEFORE 'the'",
    ),
    (
        "neurons MATCHING 'a' BEFORE/3^",
        "BEFORE/3 with nothing after it: a token in quotes or ... follows, as in BEFORE/3 'the'",
    ),
    (
        "neurons MATCHING 'a' BEFORE^ -- nothing",
        "BEFORE with nothing after it: a token in quotes or ... follows, as in BEFORE 'the'",
    ),
    (
        "tokens^",
        ("tokens are those of a neuron: write tokens ACTIVATING L3N45 or tokens IN CONTEXT OF L3N45"),
    ),
    (
        "tokens ^MATCHING 'a'",
        ("tokens are those of a neuron: write tokens ACTIVATING L3N45 or tokens IN CONTEXT OF L3N45"),
    ),
    ("tokens ACTIVATING ^the", "ACTIVATING takes a neuron, as in ACTIVATING L3N45"),
    (
        "tokens ACTIVATING L3N45 ^ORDER BY f1",
        "tokens come strongest first: only LIMIT and OFFSET may follow the neuron",
    ),
    (
        "tokens IN ^L3N45",
        "tokens are those of a neuron: write tokens ACTIVATING L3N45 or tokens IN CONTEXT OF L3N45",
    ),
    ("neurons RETURN ^nuron", "no column nuron: did you mean neuron?"),
    (
        "neurons ORDER BY ^similarity",
        (
            "similarity is not a field: order by it with RANK BY SIMILARITY TO L3N45, bound it with "
            "SIMILAR TO L3N45 ABOVE 0.9"
        ),
    ),
    ("neurons MATCHING ^42", "the token 42 needs quotes: write '42'"),
    (
        "neurons MATCHING 'a' ^WITHIN 3 'b'",
        "no WITHIN here: write BEFORE, or BEFORE/3 for at most 3 positions",
    ),
    (
        "neurons MATCHING 'a' ^(",
        (
            "unexpected (: expected BEFORE, THEN, AFTER, NEAR, PROMOTING, SUPPRESSING, AND, OR, WHERE, "
            "ORDER BY, RANK BY, SAMPLE, LIMIT, OFFSET, RETURN or the end of the query"
        ),
    ),
    ("neurons MATCHING ('a' | ^)", "unexpected ) after |: expected a token in quotes or ..."),
    ("neurons MATCHING (^)", "unexpected ) after (: expected a token in quotes or ..."),
    ("neurons MATCHING !^", "! with nothing after it: a token in quotes or ... follows, as in 'the'"),
    ("neurons MATCHING ^$", "a variable is a dollar sign and a name, as in $x"),
    (
        "neurons ^AND MATCHING 'a'",
        (
            "unexpected AND: expected a clause such as MATCHING 'the', IN MODEL, WHERE, ORDER BY, "
            "RANK BY, SAMPLE, LIMIT, OFFSET, RETURN or the end of the query"
        ),
    ),
    ("neurons MATCHING 'a' AND^", "the query ends too early: expected a clause such as MATCHING 'the'"),
    (
        "neurons ^foo",
        (
            "unexpected foo: expected a clause such as MATCHING 'the', IN MODEL, WHERE, ORDER BY, "
            "RANK BY, SAMPLE, LIMIT, OFFSET, RETURN or the end of the query"
        ),
    ),
    ("neurons WHERE f1 >^ ", "the query ends too early: expected a field, a number, a word in quotes or ("),
    ("neurons WHERE f1 > ^'a'", "f1 is a number: compare it with a number, without quotes"),
    (
        "neurons ^USING tokens",
        (
            "unexpected USING: expected a clause such as MATCHING 'the', IN MODEL, WHERE, ORDER BY, "
            "RANK BY, SAMPLE, LIMIT, OFFSET, RETURN or the end of the query"
        ),
    ),
    ("^-- nothing", "an empty query: write for example neurons MATCHING 'the' BEFORE ..."),
    ("neurons MATCHING 'a' THEN ^THEN 'b'", "unexpected THEN after THEN: expected a token in quotes or ..."),
    (
        "EXPLAIN^",
        ("a query starts with neurons, patterns, tokens or COUNT, as in neurons MATCHING 'the' BEFORE ..."),
    ),
    (
        "EXPLAIN ^PROFILE neurons",
        "EXPLAIN and PROFILE exclude each other: PROFILE shows what EXPLAIN does, with times",
    ),
    ("neurons MATCHING 'a' ^SIMILAR TO L3N4", "AND is missing before SIMILAR: write AND SIMILAR"),
    ("neurons WHERE layer = 3 ^f1 > 0.5", "AND is missing before f1: write AND f1"),
    ("neurons MATCHING 'a' ^MENTIONING 'b'", "AND is missing before MENTIONING: write AND MENTIONING"),
    (
        "neurons WHERE f1 > 0.5 AND ^FIRING ON 'a'",
        "FIRING stands before WHERE, ORDER BY and LIMIT: move it there",
    ),
    ("neurons WHERE ^neuron = 3", "neuron is not a field: write layer = 3 AND index = 45"),
    ("neurons SIMILAR TO ^the", "SIMILAR TO takes a neuron, as in SIMILAR TO L3N45"),
    (
        "neurons RANK BY SIMILARITY TO L4N1 USING ^-1",
        "unexpected -1: expected a metric (cofiring, graph, tokens, subset)",
    ),
    (
        "COUNT neurons BY^",
        "the query ends too early: expected a group (model, layer, state, activating, context, any field)",
    ),
    ("COUNT neurons ^ORDER BY f1", "COUNT has nothing but its counts: leave ORDER out"),
    (
        "patterns ^RANK BY SIMILARITY TO L4N1",
        "RANK BY SIMILARITY orders neurons, not patterns: start with neurons",
    ),
    ("neurons MATCHING 'a' BEFORE ^`b`", "` is not a quote: write ' or \""),
    (
        "neurons MATCHING 'a' BEFORE/3 ^BEFORE 'b'",
        "unexpected BEFORE after BEFORE/3: expected a token in quotes or ...",
    ),
    ("neurons WHERE layer IN (1, ^'a')", "layer is a whole number: list numbers, without quotes"),
    ("neurons WHERE f1 ^LIKE 'a'", "no LIKE here: tokens are tested by MATCHING, as in MATCHING /ing$/"),
    ("neurons ^HAVING f1 > 1", "no HAVING here: write WHERE for fields, MATCHING for patterns"),
    ("tokens ACTIVATING ^L3.45", "L3.45 is not a neuron's name: write L3N45"),
    ("neurons WHERE f1 + ^state > 1", "state is a word: there is no arithmetic on it"),
    ("neurons WHERE ^f1 + 1 IN 0..3", "a single field stands before IN, IS MISSING and a word in quotes"),
    (
        "neurons SIMILAR TO L3N4 ABOVE 0.9 ^USING tokens",
        "USING stands before ABOVE, as in USING tokens ABOVE 0.9 SHARING 3",
    ),
    ("neurons SIMILAR TO L3N4 ^0.9", "ABOVE is missing: write ABOVE 0.9"),
    ("neurons WHERE ^L3N4", "L3N4 is not a field: write layer = 3 AND index = 4"),
    (
        "neurons MATCHING 'a' ORDER BY f1 ^WHERE layer = 1",
        "WHERE stands before ORDER BY, LIMIT and RETURN: move it there",
    ),
    ("neurons LIMIT 3 ^WHERE layer = 1", "WHERE stands before ORDER BY, LIMIT and RETURN: move it there"),
    ("neurons MATCHING 'a' ^IN MODEL 'x'", "IN MODEL stands right after neurons or patterns: move it there"),
    ("neurons WHERE layer = 3 OR ^4", "a condition names its field each time, as in OR layer = 4"),
    ("neurons WHERE layer = 3 OR ^4 AND f1 > 1", "a condition names its field each time, as in OR layer = 4"),
    ("neurons WHERE 0 < f1 ^< 1", "comparisons do not chain: join two by AND, as in 0 < f1 AND f1 < 1"),
    (
        "neurons WHERE NOT f1^",
        "the query ends too early: expected a comparison such as >=, arithmetic, IN, IS MISSING or NOT",
    ),
    ("neurons ORDER BY f1 ^DESCENDING", "unexpected DESCENDING: did you mean DESC?"),
    ("neurons MATCHING 'a' AND ^WHERE f1 > 1", "AND joins clauses with clauses: leave it out before WHERE"),
    ("neurons RETURN ^*", "columns are named: write RETURN neuron, f1"),
    ("neurons ^FIRES ON 'x'", "unexpected FIRES: did you mean FIRING ON?"),
    ("neurons ^MATCHES 'a'", "unexpected MATCHES: did you mean MATCHING?"),
    ("neurons ^CONTAINING 'a'", "unexpected CONTAINING: did you mean MENTIONING?"),
    ("neurons ^WITH 'a'", "no WITH here: write WHERE for fields, MATCHING for patterns"),
    ("neurons ^that match 'a'", "no THAT here: write WHERE for fields, MATCHING for patterns"),
    (
        "^show L3N45",
        "SHOW is not of this language: start with what you ask for, as in neurons RETURN neuron, f1",
    ),
    ("^L3N45", "start with what you ask for, as in tokens ACTIVATING L3N45"),
    ("neurons ^L3N45", "L3N45 is picked by its fields: write WHERE layer = 3 AND index = 45"),
    ("neurons SIMILAR TO ^neuron L3N45", "SIMILAR TO takes a neuron, as in SIMILAR TO L3N45"),
    (
        "neurons MATCHING 'a' BEFORE^/ 3 'b'",
        "BEFORE/ takes a whole number of positions, written together, as in BEFORE/3",
    ),
    (
        "neurons MATCHING 'a' BEFORE 'b' OR ^'c'",
        "OR joins clauses: write OR MATCHING 'c', or BEFORE 'c' for the same pattern",
    ),
    (
        "neurons MATCHING 'a' OR ^BEFORE 'c'",
        "OR joins clauses, BEFORE joins the steps of a pattern: write one of the two",
    ),
    ("neurons MATCHING 'a' ^NOT 'b'", "NOT stands before a clause, as in AND NOT MATCHING 'dog'"),
    ("neurons MATCHING 'a' AND NOT ^'b'", "MATCHING is missing before 'b': write MATCHING 'b'"),
    (
        'neurons MATCHING "a" ^"b"',
        'two tokens in a row: write BEFORE "b", or THEN "b" for the very next position',
    ),
    ('neurons WHERE ^"f1" > 0.5', "a field stands without quotes: write f1"),
    ("neurons WHERE f1 > 0.5 ORDER ^f1", "BY is missing after ORDER: write ORDER BY f1"),
    ("neurons MATCHING ^{'a'}", "alternatives stand in parentheses, as in ('dog' | 'cat')"),
    ("neurons MATCHING ^['a', 'b']", "alternatives stand in parentheses, as in ('dog' | 'cat')"),
    ("neurons MATCHING ('a'^, 'b')", "alternatives are separated by |, as in ('dog' | 'cat')"),
    ("neurons MATCHING 'a' BEFORE ^3 'b'", "a distance is joined to its word by a slash: write BEFORE/3"),
    (
        "neurons MATCHING 'a' ^FOLLOWED BY 'b'",
        "no FOLLOWED here: write BEFORE, or BEFORE/3 for at most 3 positions",
    ),
    ("neurons FIRING ON ^text", 'the text stands in quotes, as in FIRING ON "Everyone except"'),
    ("neurons WHERE layer ^3", "a comparison is missing: write layer = 3"),
    (
        "neurons WHERE layer ^is 3",
        "no IS here: write =, and = 'dead' for a state; IS MISSING asks whether there is a value",
    ),
    (
        "neurons WHERE layer IN 1^, 2",
        "a range is written with two dots, as in 0..3, and a list in parentheses, as in (1, 2)",
    ),
    ("neurons WHERE layer IN ^L3N4", "L3N4 is picked by its fields: write WHERE layer = 3 AND index = 4"),
    ("tokens ACTIVATING ^'the'", "ACTIVATING takes a neuron, as in ACTIVATING L3N45"),
    (
        "tokens ^OF L3N4",
        "tokens are those of a neuron: write tokens ACTIVATING L3N4 or tokens IN CONTEXT OF L3N4",
    ),
    ("^neuron", "unexpected neuron: did you mean neurons?"),
    ("neurons MATCHING ^digit", "the token digit needs quotes: write 'digit', or <digit> for the class"),
    (
        "neurons MATCHING 'a' BEFORE ^digit",
        "the token digit needs quotes: write 'digit', or <digit> for the class",
    ),
    ("neurons LIMIT 5^, 10", "LIMIT takes one number: how many rows to leave out first is OFFSET"),
    ("neurons LIMIT ^1.5", "LIMIT takes a whole number from 0 up, not 1.5"),
    ("neurons OFFSET^", "OFFSET takes a whole number, as in OFFSET 20"),
    ("neurons MATCHING ^''", "an empty token: write the token between the quotes, or ... for any"),
    ("neurons MATCHING 'a'; ^DROP TABLE", "one query at a time: nothing may follow a semicolon"),
    (
        "neurons MATCHING^;",
        "MATCHING with nothing after it: a token in quotes or ... follows, as in MATCHING 'the'",
    ),
    ("neurons MATCHING 'a' RANK BY SIMILARITY^", "TO is missing after SIMILARITY: write SIMILARITY TO"),
]


@pytest.mark.parametrize(("marked", "message"), CASES, ids=[marked for marked, _ in CASES])
def test_a_mistake_is_answered_with_what_to_write(marked: str, message: str) -> None:
    before, _, after = marked.partition("^")
    with pytest.raises(QuerySyntaxError) as caught:
        read_query(before + after)
    assert caught.value.message == message
    assert (caught.value.line, caught.value.column) == (1, len(before) + 1)
