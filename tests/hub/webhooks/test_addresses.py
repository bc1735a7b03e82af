"""Where a webhook may go: to the public internet, in whatever form an address is written."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from hub.errors import InvalidInput
from hub.webhooks import addresses
from hub.webhooks.addresses import is_public

CLOSED = (
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
)  # fmt: skip
OPEN = (
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1",
    "192.167.255.255", "198.20.0.1", "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    "2002:808:808::1", "2606:4700:4700::1111", "2a00:1450:4001::200e",
)  # fmt: skip


@pytest.mark.parametrize("text", CLOSED)
def test_what_is_not_of_the_public_internet_is_closed(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", OPEN)
def test_the_public_internet_is_open(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@settings(max_examples=600, print_blob=True)
@given(st.ip_addresses(v=4))
def test_no_form_of_an_address_is_judged_otherwise_than_the_address(plain: IPv4Address) -> None:
    number = int(plain)
    forms = (
        IPv6Address((0xFFFF << 32) + number),  # mapped
        IPv6Address((0x64FF9B << 96) + number),  # NAT64
        IPv6Address((0x2002 << 112) + (number << 80) + 1),  # 6to4
    )
    note(str(forms))
    assert {is_public(form) for form in forms} == {is_public(plain)}
    # The deprecated compatible form is closed whatever it carries.
    assert not is_public(IPv6Address(number))


@settings(max_examples=600, print_blob=True)
@given(st.ip_addresses())
def test_nothing_is_open_that_the_standard_library_takes_for_special(
    address: IPv4Address | IPv6Address,
) -> None:
    special = (
        address.is_private or address.is_loopback or address.is_link_local
        or address.is_multicast or address.is_reserved or address.is_unspecified
    )  # fmt: skip
    carried = isinstance(address, IPv6Address) and any(
        address in block for block, _ in addresses._CARRIERS
    )
    assert not (special and not carried and is_public(address))


REFUSED = (
    "", "no address", "http://example.org/", "ftp://example.org/", "file:///etc/passwd",
    "https://", "https:///path", "https://user@example.org/", "https://:pw@example.org/",
    "https://example.org/#part", "https://example.org:0/", "https://example.org:99999/",
    "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]:8443/x",
    "https://169.254.169.254/latest/meta-data", "https://exämple.org/", "https://a\nb.org/",
    "https://example.org/" + "x" * 500, "//example.org/", "javascript:alert(1)", "https://[::1",
)  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_is_none_or_not_safe_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        addresses.checked(url)
    assert refusal.value.details["field"] == "url"


def test_an_address_of_the_internet_is_taken_and_private_ones_for_development_only() -> None:
    for url in ("https://example.org/hooks?a=b", "https://example.org:8443/", "https://8.8.8.8/"):
        assert addresses.checked(url) == url
    for url in ("http://127.0.0.1:8000/", "http://hub.internal/"):
        assert addresses.checked(url, private=True) == url
    with pytest.raises(InvalidInput):
        addresses.checked("ftp://127.0.0.1/", private=True)
