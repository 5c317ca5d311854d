"""The sections of the page: one module each, whose function ``section`` returns what is shown, or None."""
