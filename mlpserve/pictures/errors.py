"""What is wrong with a picture file."""

NO_PICTURE = (
    "not a picture that Pillow can read; give a PNG, a JPEG or the like, numbers as an .npy file"
)
TOO_MUCH_MEMORY = "the picture needs more memory than is available; make it smaller"


class PictureError(ValueError):
    """A file can't be made an image; the message says why."""
