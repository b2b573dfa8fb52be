"""The options that the package adds to cinder.conf, by section."""

from oslo_config import cfg

OPTIONS = {"outside": [cfg.StrOpt("greeting", default="hello", help="The word with which the summary begins.")]}
