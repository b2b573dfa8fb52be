"""Images: the image service, the formats that it keeps them in, and how their bytes travel."""
