"""Hides eventlet, which the OpenStack libraries import wherever it is installed: a bare program would not install it.

The processes of the floor import this first.
"""

import sys

sys.modules["eventlet"] = None
