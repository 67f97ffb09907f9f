"""What may stand in the URL of a stack."""

import pytest

from hotdesk.backends.aws.address import stack_of
from hotdesk.errors import ConfigError


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1", "ap-southeast-2"])
def test_a_url_names_a_region_and_a_stack(region: str) -> None:
    assert stack_of(f"aws://{region}/hotdesk-2") == (region, "hotdesk-2")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "aws://",
        "aws://eu-west-1",
        "aws://eu-west-1/",
        "aws://eu-west-1/a/b",
        "aws://eu-west-1/a?b=c",
        "aws://europe/hotdesk",
        "aws://user@eu-west-1/hotdesk",
        "aws://eu-west-1/-hotdesk",
        "aws://eu-west-1/hot_desk",
        "aws://eu-west-1/Hotdesk",
        "aws://eu-west-1/hotdesk\n",
        f"aws://eu-west-1/{'a' * 33}",
        "sqlite:///hotdesk.db",
    ],
)
def test_what_is_not_the_url_of_a_stack_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        stack_of(url)
