"""The LVM driver: `thin` and `thick` implement the operations with the commands of `commands` and `parsing`."""
