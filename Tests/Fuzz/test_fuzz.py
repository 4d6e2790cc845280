"""Every parser that reads a stranger's bytes, for a short time each; `make fuzz` takes longer."""
import os
import re

import fuzz
import pytest


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_no_input_breaks(target):
    # The same seed each time: a test's verdict is not a matter of luck. `make fuzz` is what looks for more.
    said = fuzz.run(target, int(os.environ.get("FUZZ_SECONDS", "20")), seed=1)
    executed = re.search(r"number_of_executed_units:\s*(\d+)", said)
    assert executed and int(executed[1]) > 1000, "the fuzzer hardly ran:\n" + said[-2000:]
