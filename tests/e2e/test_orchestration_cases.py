"""Retries, maps, approvals and branches together, in several processes at once, with edits in between."""

from __future__ import annotations

from tests.e2e.building import step


def live(nb):
    """A kernel that knows the notebook."""
    kernel = nb.live()
    kernel.run("%load_ext nbsteps")
    return kernel


CLASSES = (
    "class Sold:\n    def __init__(self, n):\n        self.n = n\n    def price(self):\n        return self.n * RATE",
    "RATE = 2",
    step("sold", "sold = [Sold(n) for n in range(4)]"),
    step("prices", "prices = [each.price() for each in sold]"),
)


def test_a_class_that_was_in_another_process_still_reads_the_notebooks_variables(nb):
    nb.write(*CLASSES)
    kernel = live(nb)
    assert kernel.run("%pipeline run --workers 2 --executor processes").error == ""
    assert kernel.run("print(Sold.price.__globals__ is globals(), type(sold[0]) is Sold)").text == "True True\n"
    nb.executed()
    assert kernel.run("%pipeline run").error == ""
    assert nb.executed() == []
    kernel.run("RATE = 3", "c2")
    nb.edit("RATE = 2", "RATE = 3")
    assert kernel.run("%pipeline run").error == ""
    assert kernel.run("print(prices)").text == "[0, 3, 6, 9]\n"
    assert nb.run()["exit_code"] == 0
    assert nb.executed() == ["sold", "prices"]
