"""Tests of other libraries, run by pytest while a recorder listens to what is called."""

import functools
import random
import re
import zlib

import numpy as np
import pytest

from foreign_common import seed_of


class Recorder:
    """Wraps functions and methods. Of a call within another that is wrapped too only the outer one counts."""

    def __init__(self):
        self.test, self.depth, self.counts, self.calls = "", 0, {}, []

    def pytest_runtest_setup(self, item):
        self.test = re.sub(r".*?/tests/|.*/", "", item.nodeid)
        seed = seed_of(self.test)
        random.seed(seed), np.random.seed(seed)
        self.seeded(seed)

    def seeded(self, seed):
        pass

    def wrapped(self, function, record):
        """`function`, after whose every outer call `record(test, arguments, result)` is called."""

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            if self.depth or not self.test:
                return function(*args, **kwargs)
            self.depth += 1
            try:
                result = function(*args, **kwargs)
                record(self.test, args, kwargs, result)
            finally:
                self.depth -= 1
            return result

        return wrapper

    def number(self, test):
        """How many calls this test made before."""
        self.counts[test] = self.counts.get(test, -1) + 1
        return self.counts[test]


def run(paths, recorder, *options):
    """Whether the tests pass does not matter here: what they asked for counts."""
    code = pytest.main([*map(str, paths), "-q", "-p", "no:cacheprovider", "-p", "no:warnings", "--no-header", "--tb=no",
                        "-rN", *options], plugins=[recorder])
    assert code in (0, 1), f"pytest ended with {code}"
    recorder.test = ""


def short(test):
    """A name for a test that is no longer than it must be: `LSTMTest.test_mask`."""
    test = test.split(".py::")[-1].replace("::", ".")
    found = re.fullmatch(r"([^\[]*)(\[.*\])?", test, re.DOTALL)
    head, parameters = found.group(1), found.group(2)
    return head if parameters is None else f"{head}[{zlib.crc32(parameters.encode()):08x}]"
