"""Identity: names of units read and written, and their keys put together and taken apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from n2gdb.core.units import (
    MOST_INDICES,
    MOST_LAYERS,
    MOST_SOURCES,
    SIDES,
    NeuronName,
    UnitName,
    UnitPlace,
    item_key,
    model_of,
    place_of,
    token_key,
    unit_key,
)
from n2gdb.errors import UnknownNameError

LATENT = UnitName(6, 650, "+", latent=True, source="res-jb")

SPELLINGS = {
    "L3N45": UnitName(3, 45),
    "l3n45": UnitName(3, 45),
    " L3N45+ ": UnitName(3, 45),
    "L3N45-": UnitName(3, 45, "-"),
    "L3N45@mlp": UnitName(3, 45),
    "L3N45-@mlp": UnitName(3, 45, "-"),
    "3/45": UnitName(3, 45),
    "3/45-": UnitName(3, 45, "-"),
    "blocks.3.mlp/45": UnitName(3, 45),
    "blocks.3.mlp/45-": UnitName(3, 45, "-"),
    "6-mlp/650": UnitName(6, 650),
    "L6F650": UnitName(6, 650, latent=True),
    "L6F650-": UnitName(6, 650, "-", latent=True),
    "l6f650@res-jb": LATENT,
    "L6F650@res-jb": LATENT,
    "6-res-jb/650": LATENT,
    "gpt2-small/6-res-jb/650": LATENT,
    "https://www.neuronpedia.org/gpt2-small/6-res-jb/650": LATENT,
    "gemma-2-2b/20-gemmascope-res-16k/7": UnitName(20, 7, latent=True, source="gemmascope-res-16k"),
    "8-res_fs768-jb/12": UnitName(8, 12, latent=True, source="res_fs768-jb"),
    "L6F650-@resid_post": UnitName(6, 650, "-", latent=True, source="resid_post"),
}


@pytest.mark.parametrize(("text", "name"), SPELLINGS.items())
def test_names_are_read(text: str, name: UnitName) -> None:
    assert UnitName.parse(text) == name
    assert UnitName.parse(str(name)) == name


#: Texts that are no names, between bars.
NO_NAMES = "|L3|L3N|LN3|N3L4|3/|3/x|-1/3|L3N4.5|L3F4@|L3F4@-|L3F4@a-|L3N45--|L3N45@res-jb|6-/650"
NO_NAMES += "|6-res-jb|6-res-jb/|a/b/6-res-jb/650|L3N45 -|L3F4@a b|L3F4@a/b"


@pytest.mark.parametrize("text", NO_NAMES.split("|"))
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UnknownNameError, match="write L3N45") as caught:
        UnitName.parse(text)
    assert "\n" not in str(caught.value)


@given(
    st.builds(
        UnitName,
        st.integers(0, MOST_LAYERS - 1),
        st.integers(0, MOST_INDICES - 1),
        st.sampled_from(SIDES),
        st.just(True),
        st.from_regex(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)?", fullmatch=True),
    )
)
def test_what_is_written_is_read_back(name: UnitName) -> None:
    assert UnitName.parse(str(name)) == name


def test_the_older_name_is_the_same_class() -> None:
    assert NeuronName(3, 45) == UnitName.parse("L3N45")
    assert str(NeuronName(3, 45)) == "L3N45"


PLACES = st.builds(
    UnitPlace,
    st.integers(0, (1 << 23) - 1),
    st.integers(0, MOST_LAYERS - 1),
    st.integers(0, MOST_SOURCES - 1),
    st.integers(0, MOST_INDICES - 1),
    st.sampled_from(SIDES),
)


def key_of(place: UnitPlace) -> int:
    return unit_key(place.model, place.layer, place.index, place.source, SIDES.index(place.side))


@given(PLACES)
def test_keys_are_taken_apart_again(place: UnitPlace) -> None:
    key = key_of(place)
    assert 0 <= key < 1 << 63
    assert place_of(key) == place
    assert model_of(key) == place.model


@given(PLACES, PLACES)
def test_keys_rise_as_places_do(first: UnitPlace, second: UnitPlace) -> None:
    def order(place: UnitPlace) -> tuple[int, ...]:
        return (place.model, place.layer, place.source, place.index, SIDES.index(place.side))

    assert (key_of(first) < key_of(second)) == (order(first) < order(second))


def test_arrays_are_numbered_as_single_units_are() -> None:
    layer, index, source, side = (np.array(part, np.int64) for part in ([0, 511], [5, 9], [0, 127], [1, 0]))
    keys = unit_key(7, layer, index, source, side)
    assert keys.dtype == np.int64
    assert keys.tolist() == [unit_key(7, 0, 5, 0, 1), unit_key(7, 511, 9, 127, 0)]
    assert token_key(2, np.array([3], np.int64)).tolist() == [token_key(2, 3)]
    assert model_of(item_key(4, 17)) == 4
