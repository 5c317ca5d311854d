"""Values become text; a renderer decides nothing."""
