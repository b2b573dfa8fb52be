"""The API as a WSGI application: `cinder_lite.wsgi.api:application`, configured by /etc/cinder/cinder.conf.

The environment variable CINDER_LITE_CONFIG_FILES names other files. Importing the module opens nothing and starts
nothing.
"""

import os

# The threads are the WSGI server's own, native ones.
os.environ.setdefault("CINDER_LITE_CONCURRENCY", "threading")

from cinder_lite.wsgi.hosted import Hosted, build  # noqa: E402

application = Hosted(build)
