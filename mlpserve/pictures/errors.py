"""What is wrong with a picture file."""

TOO_MUCH_MEMORY = "the picture takes more memory than there is; make it smaller"


class PictureError(ValueError):
    """A file can't be made an image; the message says why."""
