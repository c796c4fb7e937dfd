"""What is wrong with a picture file."""


class PictureError(ValueError):
    """A file can't be made an image; the message says why."""
