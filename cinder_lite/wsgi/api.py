"""The API as a WSGI application: `cinder_lite.wsgi.api:application`, configured by /etc/cinder/cinder.conf.

The environment variable CINDER_LITE_CONFIG_FILES names other files. Importing the module opens nothing and starts
nothing.
"""

from cinder_lite.wsgi.hosted import Hosted, build

application = Hosted(build)
