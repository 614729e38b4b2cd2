"""Compares what operators were told with what terminals did, by their own logs and nothing else."""

from muster.judge.returns import peak, returns, span
from muster.judge.verdict import Accepted, Run, Told, Verdict, judge

__all__ = ["Accepted", "Run", "Told", "Verdict", "judge", "peak", "returns", "span"]
