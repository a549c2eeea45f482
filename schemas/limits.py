"""Every bound on what comes in, each with its reason. Sizes in bytes, times in µs."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# An event is lean metadata; more than this is somebody's output.
EVENT_BYTES_MAX: Final = 16 * KIB
# Deflate can grow a body a thousandfold: the cap is on what comes out, while it comes out.
BODY_BYTES_MAX: Final = 10 * MIB
EVENTS_PER_REQUEST_MAX: Final = 10_000

STRING_CHARACTERS_MAX: Final = 256
NAME_CHARACTERS_MAX: Final = 128

# Half of Kafka's default message limit (1 MiB): Avro may not compress, and headers come on top.
ENVELOPE_BYTES_MAX: Final = 512 * 1000

# Windows reports 32-bit unsigned exit codes, POSIX wrappers negative ones.
EXIT_CODE_MIN: Final = -(2**31)
EXIT_CODE_MAX: Final = 2**32 - 1
CLIENT_SEQ_MAX: Final = 2**63 - 1
# Stated durations are only compared, so anything beyond this is as wrong as this.
DURATION_US_MAX: Final = 2**62
DURATION_MS_MAX: Final = DURATION_US_MAX // 1_000

# Unknown field names are repeated in an answer only when they look harmless.
ECHOED_NAME_CHARACTERS_MAX: Final = 64

LINKS_PER_RULE_MAX: Final = 10
US_PER_MS: Final = 1_000
US_PER_S: Final = 1_000_000
LINK_WINDOW_US: Final = 60 * 60 * US_PER_S
DURATION_TOLERANCE_US: Final = US_PER_S
CLOCK_AHEAD_US: Final = 5 * 60 * US_PER_S
LATE_US: Final = 60 * 60 * US_PER_S
