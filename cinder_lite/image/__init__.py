"""Glance images: the client of the image service, image formats, download and conversion."""
