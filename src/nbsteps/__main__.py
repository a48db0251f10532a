"""``python -m nbsteps``."""

import sys

from nbsteps.cli import main

sys.exit(main())
