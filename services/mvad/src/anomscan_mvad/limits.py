"""The documented limits of the service, and this server's own."""

MIN_WINDOW = 28
MAX_WINDOW = 2880
DEFAULT_WINDOW = 300
MAX_VARIABLES = 300
MAX_TRAIN_TIMESTAMPS = 1_000_000
MAX_BATCH_TIMESTAMPS = 20_000
MAX_LAST_TIMESTAMPS = 2_880
MAX_CONTRIBUTORS = 30
DEFAULT_CONTRIBUTORS = 10
MAX_NAME = 24
MAX_MODELS = 1_000
MAX_PENDING = 50
"""Most trainings, and most batch detections, that may wait or run."""
RESULT_DAYS = 7

MAX_BODY_BYTES = 64 * 1024
MAX_LAST_BODY_BYTES = 64 * 1024 * 1024
"""2,880 timestamps x 300 variables are about 40 MB in the API's format."""
MAX_SOURCE_BYTES = 512 * 1024 * 1024
"""Largest data source, packed or unpacked, unless the command line says otherwise."""
MAX_FILES = 1_000
"""Most files in a folder or archive, of any kind."""
MAX_LIST_BYTES = 8 * 1024 * 1024
"""Largest page of a list of blobs."""
MAX_DIRECTORY_BYTES = 1024 * 1024
"""Largest table of contents of a zip."""

HEADER_TIMEOUT_S = 15.0
BODY_TIMEOUT_S = 60.0
FETCH_TIMEOUT_S = 600.0
SOCKET_TIMEOUT_S = 20.0
TRAIN_TIMEOUT_S = 24 * 3600.0
BATCH_TIMEOUT_S = 3600.0
LAST_TIMEOUT_S = 120.0
