"""Detection of image formats, and parsing of the output of qemu-img."""

import json
import subprocess

import pytest

from cinder_lite.image import formats, qemu
from cinder_lite.image.record import Image

MIB = 1024**2


def image(disk_format="raw", container_format="bare"):
    return Image(id="i", disk_format=disk_format, container_format=container_format)


@pytest.mark.parametrize("disk_format", ["raw", "iso", "ami", "qcow2", "vmdk", "vdi", "vhd", "vhdx"])
def test_accepted_formats(disk_format):
    formats.check_declared(image(disk_format))


@pytest.mark.parametrize(("declared", "says"), [
    (("ploop", "bare"), "disk format ploop"), ((None, "bare"), "disk format None"),
    (("raw", "ovf"), "container format ovf"),
    (("raw", "compressed"), "container format compressed")])
def test_formats_that_are_not(declared, says):
    with pytest.raises(formats.ImageRefused, match=says):
        formats.check_declared(image(*declared))


def made(path, disk_format, *options):
    subprocess.run(["qemu-img", "create", "-q", "-f", disk_format, *options, path, "4M"], check=True)
    return path.read_bytes()


def inspected(data, disk_format, piece=100_000):
    inspection = formats.Inspection(disk_format)
    for start in range(0, len(data), piece):
        inspection.feed(data[start:start + piece])
    return str(inspection.finish())


def partitioned():
    """The beginning of a disk with a partition table."""
    boot = bytearray(512)
    boot[446:462] = b"\x00\x00\x02\x00\xee\xff\xff\xff\x01\x00\x00\x00\xff\xff\x00\x00"
    boot[510:] = b"\x55\xaa"
    return bytes(boot) + b"EFI PART" + bytes(4 * MIB)


@pytest.mark.parametrize("piece", [1000, MIB, 8 * MIB])
def test_detection_is_independent_of_chunk_boundaries(tmp_path, piece):
    assert inspected(made(tmp_path / "q", "qcow2"), "qcow2", piece) == "qcow2"
    assert inspected(bytes(5 * MIB), "raw", piece) == "raw"
    assert inspected(partitioned(), "raw", piece) == "gpt"


@pytest.mark.parametrize("hidden", ["qcow2", "vmdk", "vdi", "vpc", "vhdx", "qed"])
def test_nothing_else_passes_as_raw(tmp_path, hidden):
    with pytest.raises(formats.ImageRefused, match="declared as raw"):
        inspected(made(tmp_path / "hidden", hidden), "raw")


def test_raw_does_not_pass_as_something_else():
    with pytest.raises(formats.ImageRefused, match="its content is raw, but it is declared as qcow2"):
        inspected(b"no header" * 1000, "qcow2")


def test_files_that_refer_to_others(tmp_path):
    made(tmp_path / "base", "qcow2")
    made(tmp_path / "child", "qcow2", "-b", str(tmp_path / "base"), "-F", "qcow2")
    with pytest.raises(formats.ImageRefused, match="backing file"):
        formats.inspect_file(tmp_path / "child", "qcow2")
    made(tmp_path / "outside", "qcow2", "-o", f"data_file={tmp_path / 'data'}")
    with pytest.raises(formats.ImageRefused, match="data file"):
        formats.inspect_file(tmp_path / "outside", "qcow2")
    formats.inspect_file(tmp_path / "base", "qcow2")


def said(**more):
    return json.dumps({"format": "qcow2", "virtual-size": 3 * MIB, "format-specific": {"data": {}}, **more})


def test_the_size_in_the_output_of_qemu_img():
    assert formats.virtual_size(said(), "qcow2") == 3 * MIB
    assert formats.virtual_size(said(format="vpc"), "vhd") == 3 * MIB


@pytest.mark.parametrize(("more", "disk_format", "says"), [
    ({"format": "raw"}, "qcow2", "qemu-img reads it as raw"),
    ({"backing-filename": "/etc/passwd"}, "qcow2", "backing file"),
    ({"full-backing-filename": "/etc/passwd"}, "qcow2", "backing file"), ({"encrypted": True}, "qcow2", "encrypted"),
    ({"format-specific": {"data": {"data-file": "x"}}}, "qcow2", "another file"),
    ({"format": "vmdk", "format-specific": {"data": {"create-type": "monolithicFlat"}}}, "vmdk",
     "type monolithicFlat")])
def test_outputs_of_qemu_img_that_are_refused(more, disk_format, says):
    with pytest.raises(formats.ImageRefused, match=says):
        formats.virtual_size(said(**more), disk_format)


def test_a_disk_that_does_not_fit():
    formats.check_fits(2 * 1024 * MIB, 2)
    with pytest.raises(formats.ImageRefused, match="needs a volume of 3 GiB, not 2"):
        formats.check_fits(2 * 1024 * MIB + 1, 2)


def test_conversions_in_both_directions_report_progress(tmp_path):
    source, there, back, reported = tmp_path / "source", tmp_path / "there", tmp_path / "back", []
    source.write_bytes(b"\1" * MIB + bytes(7 * MIB))
    back.write_bytes(bytes(8 * MIB))
    assert qemu.converted_size(str(source), "qcow2") > MIB
    qemu.from_raw(str(source), "qcow2", str(there), None, reported.append)
    qemu.to_raw(str(there), "qcow2", str(back), True, reported.append)
    assert back.read_bytes() == source.read_bytes() and 100 in reported and reported[-1] == 100
    assert formats.virtual_size(qemu.info(str(there), "qcow2", 1, 10), "qcow2") == 8 * MIB


def test_errors_of_qemu_img(tmp_path):
    (tmp_path / "bad").write_bytes(b"nothing" * 1000)
    with pytest.raises(qemu.ConversionFailed, match="not in qcow2 format"):
        qemu.to_raw(str(tmp_path / "bad"), "qcow2", str(tmp_path / "out"), False, lambda percent: None)


def test_a_conversion_can_be_stopped(tmp_path):
    class Enough(Exception):
        pass

    def stop(percent):
        raise Enough

    source = tmp_path / "source"
    source.write_bytes(b"\1" * 64 * MIB)
    with pytest.raises(Enough):
        qemu.from_raw(str(source), "qcow2", str(tmp_path / "out"), None, stop)
