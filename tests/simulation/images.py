"""The image service of a world: images in memory, of which only the marked blocks are kept."""

import contextlib

from cinder_lite import errors
from cinder_lite.concurrency import randomness
from cinder_lite.image import glance, record
from tests.simulation import contents, storage

#: Images that are there before the clients begin, and their bytes.
PREPARED = ("0a000000-0000-4000-8000-000000000001", "0a000000-0000-4000-8000-000000000002")
SIZE = contents.BLOCKS * contents.STEP


class Stored:
    """An image: `marks` by the number of their block."""

    def __init__(self, id, status, size, marks):
        self.id, self.status, self.size, self.marks = id, status, size, marks

    def described(self):
        return record.Image(id=self.id, name=self.id, status=self.status, size=self.size, disk_format="raw",
                            container_format="bare")

    def data(self, start):
        """The bytes from `start` on, in pieces."""
        for position in range(start, self.size, glance.PIECE):
            piece = bytearray(min(glance.PIECE, self.size - position))
            for block, mark in self.marks.items():
                at = block * contents.STEP - position
                if 0 <= at < len(piece):
                    piece[at:at + 8] = mark
            yield bytes(piece)


class Glance:
    """Has the methods of cinder_lite.image.glance.Glance; the images are those of the world."""

    def __init__(self, conf, pause=glance.pause, limit=None):
        self.conf, self.pause = conf, pause

    @staticmethod
    def _performed(name, id, function):
        return storage.performed("glance", name, id, lambda text: errors.ImageServiceUnavailable(reason=text), function)

    @staticmethod
    def _found(id):
        if id not in storage.HERE.images:
            raise errors.ImageNotFound(id=id)
        return storage.HERE.images[id]

    def show(self, ctx, id):
        return self._performed("show", id, lambda: self._found(id).described())

    def find_by_name(self, ctx, name):
        return [one.described() for one in storage.HERE.images.values() if one.id == name]

    def create(self, ctx, **fields):
        def work():
            made = Stored(randomness.new_id(), "queued", None, {})
            storage.HERE.images[made.id] = made
            return made.described()

        return self._performed("create", "", work)

    def delete(self, ctx, id):
        self._performed("delete", id, lambda: storage.HERE.images.pop(id, None))

    def upload(self, ctx, id, pieces, size):
        image = self._found(id)
        if image.status != "queued":
            raise errors.BadRequest(f"image {id} is {image.status}")
        image.status, position, marks = "saving", 0, {}
        try:
            for piece in pieces:
                for block in range(contents.BLOCKS):
                    at = block * contents.STEP - position
                    if 0 <= at < len(piece):
                        marks[block] = piece[at:at + 8]
                position += len(piece)
        except BaseException:
            image.status = "queued"
            raise

        def work():
            image.status, image.size, image.marks = "active", size, marks

        self._performed("upload", id, work)

    @contextlib.contextmanager
    def read(self, ctx, id, start):
        found = self._performed("read", id, lambda: self._found(id))
        yield found.data(start)


def install(here):
    """Prepare the images of a world, and use its image service instead of Glance from now on."""
    glance.Glance = Glance
    here.images = {id: Stored(id, "active", SIZE, {
        block: (number * 1000 + block + 1).to_bytes(8, "big") for block in range(contents.BLOCKS)})
        for number, id in enumerate(PREPARED, 9001)}
