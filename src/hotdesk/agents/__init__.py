"""Coding agents: how each is started, what its output says, and what came of a run."""
