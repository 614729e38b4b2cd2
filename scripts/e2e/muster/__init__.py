"""The library of the tests of whole clusters.

cluster    the cluster under test: processes of this machine, or containers
traffic    terminals, operators and generators that use the cluster
faults     what is done to the cluster and to its connections
judge      compares what was accepted with what was run
wait       the one way to wait for a condition
"""
