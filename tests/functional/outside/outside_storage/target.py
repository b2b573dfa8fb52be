"""A target that exports a volume as a link in a directory that all hosts share, and its reader on other hosts."""

import os

from oslo_config import cfg

from cinder_lite.volume.targets import base, readers


class LinkTarget(base.Target):
    """Each export is a link below `outside_share`."""

    OPTIONS = (cfg.StrOpt("outside_share", help="Directory that all hosts have."),)
    protocol = "outside"

    def check(self):
        try:
            os.makedirs(self.options.outside_share, exist_ok=True)
        except OSError as error:
            raise base.TargetError(f"{self.options.outside_share} cannot be made: {error.strerror}") from error

    def addresses(self):
        return []

    def export(self, name, path, export=None, read_only=False, connector=None):
        link = self._link(name)
        if not os.path.lexists(link):
            os.symlink(path, link)
        return base.Export(link)

    def _link(self, name):
        return os.path.join(self.options.outside_share, name)

    def remove(self, name):
        if os.path.lexists(self._link(name)):
            os.unlink(self._link(name))

    def present(self):
        return os.listdir(self.options.outside_share)

    def connection(self, name, export, connector):
        data = {"link": export.location, "reader": connector.get("outside_reader")}
        return {"driver_volume_type": "outside", "data": data}

    def exported(self):
        return dict.fromkeys(self.present(), True)

    def resize(self, name, path):
        pass


class LinkReader(readers.Reader):
    """Finds an exported volume by its link, and leaves a trace of it in the directory while it reads."""

    def connector(self):
        return {"outside_reader": "yes"}

    def names(self, data):
        return {"link": data["link"]}

    def attach(self, data):
        trace = self._trace(data)
        with open(trace, "w") as file:
            file.write(str(data["reader"]))
        return {"path": data["link"]}

    def detach(self, names):
        trace = self._trace(names)
        if os.path.exists(trace):
            os.rename(trace, trace.replace(".reading-", ".read-"))

    @staticmethod
    def _trace(names):
        directory, name = os.path.split(names["link"])
        return os.path.join(os.path.dirname(directory), f".reading-{name}")
