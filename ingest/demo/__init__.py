"""Files of the demo model; see README.md in this folder."""
