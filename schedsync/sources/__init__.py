"""Text, or a Git revision, becomes the desired set, with findings about what is wrong in it."""
