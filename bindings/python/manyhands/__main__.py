"""`python -m manyhands work app:worker`."""

import sys

from manyhands._command import main

sys.exit(main(sys.argv[1:]))
