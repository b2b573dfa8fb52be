"""An example of a package that adds to cinder-lite without a change in it."""
