from tests.runners.programs import closed, place

__all__ = ["closed", "place"]
