"""What ends the demo early."""

from __future__ import annotations


class DemoError(Exception):
    """Something the user can put right; its text is all they need to see."""
