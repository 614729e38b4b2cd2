"""A cluster of processes of this machine, for visitors (scripts/cluster, scripts/demo) and for tests.

This package uses the standard library alone, so that a visitor needs nothing but Python.
"""
