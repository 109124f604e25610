"""``python -m ktnas`` is ``ktnas``."""

import sys

from ktnas.cli.main import main

sys.exit(main())
