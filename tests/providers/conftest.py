from tests.aimock import aimock

__all__ = ["aimock"]
