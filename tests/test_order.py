"""Tests come in another order each day, so that none rests on another one; a seed repeats an order."""

import itertools
import os

from support import shuffled

NODES = [f"{module}.py::test_{number}" for module in "abcdefgh" for number in range(6)]


def module_of(node: str) -> str:
    return node.partition("::")[0]


def test_a_seed_gives_one_order_of_all_tests_with_modules_together():
    first, other = shuffled(NODES, 1, module_of), shuffled(NODES, 2, module_of)
    assert first == shuffled(NODES, 1, module_of)
    assert first not in (NODES, other)
    assert sorted(first) == sorted(other) == NODES
    for order in (first, other):
        modules = [module for module, _ in itertools.groupby(order, module_of)]
        assert sorted(modules) == sorted({*modules}) != modules
        inner = [node for node in order if module_of(node) == "a.py"]
        assert inner != sorted(inner)


def test_the_tests_that_run_now_are_in_the_order_that_the_header_names(request):
    nodes = [item.nodeid for item in request.session.items]
    modules = [module for module, _ in itertools.groupby(nodes, module_of)]
    assert len(modules) == len({*modules}), "a module's tests stay together"
    assert f"TEST_ORDER={os.environ['TEST_ORDER']}" in str(
        request.config.hook.pytest_report_header(config=request.config, start_path=request.config.rootpath)
    )


def test_modules_with_slow_tests_are_begun_first(request):
    items = request.session.items
    slow = {module_of(item.nodeid) for item in items if item.get_closest_marker("slow")}
    begun = [module_of(item.nodeid) in slow for item in items]
    assert begun == sorted(begun, reverse=True)
