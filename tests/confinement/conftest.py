from tests.runners.programs import place

__all__ = ["place"]
