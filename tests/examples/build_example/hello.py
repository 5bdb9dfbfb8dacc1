"""`hello SOURCE TARGET` writes what is in one file to another, signed."""

import sys
from pathlib import Path

from words import signed

Path(sys.argv[2]).write_text(signed(Path(sys.argv[1]).read_text()))
