"""The bytes of volumes: devices and images, sparse copies between them."""
