"""Scores in arrays are those of a mapping."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from n2gdb.similarity.scored import Scored
from n2gdb.similarity.search import Score


@pytest.mark.parametrize("number", [0, 1, 40])
def test_scores_in_arrays_are_those_of_a_mapping(number: int) -> None:
    random = Random(number)
    ids = random.sample(range(1 << 40), number)
    scores = {each: Score(each, random.random(), random.randrange(9)) for each in ids}
    scored = Scored.of(scores)
    assert Scored.of(scored) is scored
    assert dict(scored) == scores
    assert list(scored) == sorted(ids)
    asked = [*ids, 0, -1, 1 << 62, *(each + 1 for each in ids)]
    assert [scored.get(each) for each in asked] == [scores.get(each) for each in asked]
    score, size = scored.among(np.array(asked))
    assert score.tolist() == [scores[each].score if each in scores else 0.0 for each in asked]
    assert size.tolist() == [scores[each].size if each in scores else 0 for each in asked]


def test_a_neuron_that_was_not_compared_has_no_score() -> None:
    with pytest.raises(KeyError):
        Scored.of({})[3]
