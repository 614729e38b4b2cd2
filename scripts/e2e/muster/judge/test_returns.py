"""Even returns are told from uneven ones."""

from typing import Any

from muster.judge.returns import peak, returns, span


def line(at: float, what: str) -> dict[str, Any]:
    return {"terminal": "t1", "at": at * 1000, "what": what}


def test_only_returns_count_and_only_those_since_a_moment() -> None:
    lines = [line(10, "online"), line(11, "offline"), line(12, "online"), line(21, "offline"), line(23, "online")]
    assert returns(lines, since=10) == [2, 13]
    assert returns(lines, since=20) == [3]


def test_span_and_peak_of_even_and_uneven_returns() -> None:
    even = [number / 100 for number in range(1000)]
    assert 9.7 < span(even) < 9.9 and peak(even, 10) == 1
    assert span([*[5.0] * 990, *even[:10]]) == 0 and peak([5.0] * 100, 10) == 10
