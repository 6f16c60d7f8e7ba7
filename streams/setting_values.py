"""The values that settings take: each with its bounds, and in words what would be right."""

from typing import Annotated

import msgspec

TopicName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="1 to 200 letters, digits, dots, dashes and underscores",
    ),
]
FieldName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=100, description="1 to 100 characters")
]
Addresses = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(([^,\s:]+|\[[0-9a-fA-F:]+\]):\d{1,5}(,([^,\s:]+|\[[0-9a-fA-F:]+\]):\d{1,5})*)?$",
        description="HOST:PORT, or several of them joined by commas",
    ),
]
RedisUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^((redis|rediss|unix)://\S+)?$",
        description="a URL that begins with redis://, rediss:// or unix://",
    ),
]
KeyPrefix = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\s{}:]{1,50}$",
        description="1 to 50 characters without spaces, braces and colons",
    ),
]
Namespace = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_-]{0,40}$",
        description="at most 40 letters, digits, dashes and underscores",
    ),
]
HostName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$",
        description="a host's name such as images.example.org, with :PORT where it is not 443",
    ),
]
Failpoint = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([a-z-]+\.[a-z-]+(:[1-9][0-9]*)?)?$",
        description="a failpoint, with how often it lets pass, such as recommend.written:3",
    ),
]
Sha256 = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$", description="a sha256 in 64 hex digits")
]
Text = Annotated[str, msgspec.Meta(min_length=1, description="text that is not empty")]
Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
SourceName = Annotated[
    str, msgspec.Meta(description="one of the sources that docs/settings.md has a section for")
]
