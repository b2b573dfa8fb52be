"""Model test of the file driver."""

import os
import pathlib
import tempfile
import uuid

from hypothesis import settings, stateful
from hypothesis import strategies as st

from tests.contract import backends, model


class FileModel(model.Model):
    """Files in a separate directory, with partial copies as after crashes."""

    def __init__(self):
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.driver = backends.file_driver(pathlib.Path(self.directory.name))

    def teardown(self):
        self.directory.cleanup()

    @stateful.rule(data=st.data(), tidy=st.booleans())
    def crash(self, data, tidy):
        """Add a partial copy, of the next object or of an existing one."""
        names = [f"volume-{uuid.UUID(int=self.made + 1)}", f"snapshot-{uuid.UUID(int=self.made + 1)}",
                 *(volume.name for volume, _, _ in self.volumes.values())]
        with open(os.path.join(self.driver.directory, f".{data.draw(st.sampled_from(names))}.part"), "wb") as half:
            half.write(b"half" * model.BLOCK)
        if tidy:
            self.driver.clean_up()


TestModel = FileModel.TestCase
TestModel.settings = settings(derandomize=True, max_examples=500, stateful_step_count=15, deadline=None, database=None)
