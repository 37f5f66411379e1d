"""The oracle is not blind: it finds each fault that is put back, within the pairs that it is asked here.

The seeds are such that few pairs are needed; how many others need tells ``python -m tests.oracle.faults``.
"""

from __future__ import annotations

import pytest

from tests.generators.worlds import missing
from tests.oracle.faults.finding import Search, searched
from tests.oracle.faults.old import FAULTS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_is_put_back_is_found(fault: str) -> None:
    kind, seed = FAULTS[fault].world, FAULTS[fault].seed
    if why := missing(kind):
        pytest.skip(why)
    assert searched(Search(fault, kind, seed, 2_000)).wrong
