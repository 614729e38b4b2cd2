"""Terminals, operators and generators that use the cluster."""
