"""The protocol, each time with one step done in a way that is tempting and wrong.

A model that finds nothing may be one that cannot see. Each mutant changes one step;
``worlds.py`` names the smallest world in which the change can be seen, and the search has
to find it there.
"""
