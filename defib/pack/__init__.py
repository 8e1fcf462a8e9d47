"""The break-glass pack: everything that a recovery needs, in one folder that needs nothing of this installation."""
