"""A neuron's name: equal to the text that it is written as, whatever text it was read from."""

from __future__ import annotations

import pickle

import pytest

from n2gdb.core.units import NeuronName
from n2gdb.errors import UnknownNameError


@pytest.mark.parametrize("text", ["L3N45", "l3n45", "3/45", "blocks.3.mlp/45", " L03N045 "])
def test_a_name_is_read_where_it_is_made(text: str) -> None:
    name = NeuronName(text)
    assert name == NeuronName(3, 45) == NeuronName.parse(text)
    assert (name.layer, name.index) == (3, 45)


def test_a_name_equals_the_text_that_it_is_written_as_and_no_other() -> None:
    name = NeuronName(3, 45)
    written: object = "L3N45"
    assert name == written and written == name
    assert hash(name) == hash("L3N45")
    for other in ("3/45", "l3n45", "L3N46", "", 3, None, (3, 45)):
        assert name != other and other != name


def test_names_and_texts_are_one_in_sets_and_dicts() -> None:
    assert {NeuronName(3, 45): 1}["L3N45"] == {"L3N45": 1}[NeuronName("3/45")] == 1  # type: ignore[index]
    assert len({NeuronName(3, 45), "L3N45", NeuronName("L3N45")}) == 1
    assert NeuronName(1, 2) in ["L1N2"]


def test_names_are_ordered_by_layer_and_index() -> None:
    names = [NeuronName("L10N2"), NeuronName("L9N11"), NeuronName("L9N2")]
    assert [str(name) for name in sorted(names)] == ["L9N2", "L9N11", "L10N2"]


def test_a_name_is_pickled() -> None:
    assert pickle.loads(pickle.dumps(NeuronName(3, 45))) == NeuronName(3, 45)


@pytest.mark.parametrize("text", ["", "L3", "L3N", "L3N4.5", "L-1N2", "neuron"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UnknownNameError, match="is not a neuron's name"):
        NeuronName(text)


def test_a_layer_alone_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="give its index too"):
        NeuronName(3)  # type: ignore[call-overload]
