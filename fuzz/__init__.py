"""What hostile input must never do, as functions over bytes, and the program that looks for it.

``make fuzz`` runs it; docs/fuzzing.md explains it. The functions need no fuzzer: the tests
feed them the corpus that earlier runs have left, and what Hypothesis makes up.
"""
