"""The command line: thin shells over the library, one file a command."""

import gc

# Start-up makes many objects and no garbage: collecting less often saves a tenth of a query's time.
gc.set_threshold(50_000)
