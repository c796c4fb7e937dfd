"""What an array that can't be classified probably holds, and how to make grey images of it."""

GREY = ("1", "L", "F")
"""The modes in which Pillow's pictures are arrays (rows, columns) of bits or grey levels."""

_CHANNELS = {1: "one channel", 2: "grey and opacity", 3: "colours", 4: "colours and opacity"}
_READS_COLOURS = "`mlpserve predict FILE` reads picture files of any colour and size"
_OPEN = (
    "give an array, such as np.load(FILE) of an .npy file, or "
    f"np.asarray(PIL.Image.open(FILE).convert('L')); {_READS_COLOURS}"
)
TEXT = f"images holds text: {_OPEN}"
"""What is wrong with an array of texts, which may be names of files."""

_BATCH, _PICTURES = 3, 4


def explain_shape(shape: tuple[int, ...], is_uint8: bool, name: str = "images") -> str:
    """Return what an array of a shape that holds no grey images looks like, with the remedy for it,
    which is called `name`; empty when nothing is known to help.
    """
    if len(shape) not in (_BATCH, _PICTURES):
        return ""
    channels = shape[-1]
    if channels == 1 or (channels in _CHANNELS and min(shape[-3:-1]) > channels):
        what = "a picture" if len(shape) == _BATCH else "pictures"
        looks = f"it looks like {what} with {_CHANNELS[channels]} in the last dimension"
        return f"{looks}: {_select(name, channels, '..., ', -1, is_uint8)}"
    channels = shape[1]
    # Two may be anything there.
    if len(shape) == _PICTURES and channels in (1, 3, 4) and min(shape[2:]) > channels:
        looks = f"it looks like pictures with {_CHANNELS[channels]} in the second dimension"
        return f"{looks}: {_select(name, channels, ':, ', 1, is_uint8)}"
    return ""


def _select(name: str, channels: int, before: str, axis: int, is_uint8: bool) -> str:
    """Return how to make an array with channels in a dimension grey."""
    if channels < 3:
        return f"send {name}[{before}0]"
    colours = name if channels == 3 else f"{name}[{before}:3]"
    kind = ".astype(np.uint8)" if is_uint8 else ""
    return f"make it grey with {colours}.mean(axis={axis}){kind}; {_READS_COLOURS}"


def explain_object(images: object) -> str:
    """Return what something is that is no array of images, with the remedy; empty when it may be
    one.
    """
    mode = getattr(images, "mode", None)
    if isinstance(mode, str) and hasattr(images, "convert"):
        if mode in GREY:
            return ""
        return f"images is a picture in mode {mode}: make it grey with images.convert('L')"
    if isinstance(images, bytes | bytearray):
        return "images is bytes: make an array of it, such as np.frombuffer(images, np.uint8)"
    if isinstance(images, str) or hasattr(images, "__fspath__"):
        return f"images is {str(images)!r:.100}: {_OPEN}"
    if images is None or isinstance(images, dict | set):
        what = "None" if images is None else f"a {type(images).__name__}"
        return f"images is {what}: give an array, or nested lists of floats"
    return ""
