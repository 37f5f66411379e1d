"""The command line: one file per command, each a thin layer over the library."""

import gc

# Start-up makes many objects and no garbage: collecting less often saves a tenth of a query's time.
gc.set_threshold(50_000)
