"""What is posted goes to the address that was checked, and nowhere else; over real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.webhooks.addresses import Address, is_public
from hub.webhooks.messages import DeliveryAttempt
from jobs.webhooks import sending
from jobs.webhooks.sending import Sender

Reply = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(
    reply: bytes | Reply, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve one reply to each connection; yields the port and the heads that came in."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
            else:
                await reply(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()
        await server.wait_closed()


def reply(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def post(told: bytes | Reply, *, seconds_max: float = 5.0) -> tuple[DeliveryAttempt, list[bytes]]:
    async def story() -> tuple[DeliveryAttempt, list[bytes]]:
        sender = Sender(private=True, seconds_max=seconds_max)
        async with listening(told) as (port, heads), sender:
            url = f"http://localhost:{port}/hook?a=b"
            return await sender.post(url, {"webhook-id": "m-1"}, b"{}"), heads

    return asyncio.run(story())


def test_a_message_arrives_under_the_name_of_its_host() -> None:
    answer, (head,) = post(reply("204 No Content"))
    assert (answer.status, answer.is_success) == (204, True)
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /hook?a=b http/1.1"
    assert any(line.startswith("host: localhost:") for line in lines)
    assert "webhook-id: m-1" in lines
    assert "content-type: application/json" in lines


def test_a_redirect_is_a_failure_and_is_not_followed() -> None:
    answer, heads = post(reply("307 Temporary Redirect", b"", "location: http://localhost:1/"))
    assert (answer.status, answer.is_success, len(heads)) == (307, False, 1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (" 120 ", 120), ("soon", None), ("-1", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_the_pause_that_is_asked_for_is_read(value: str, seconds: int | None) -> None:
    answer, _ = post(reply("503 Service Unavailable", b"later", f"retry-after: {value}"))
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert (answer.status, answer.text, answer.retry_after) == (503, "later", expected)


def test_of_an_answer_only_the_beginning_is_read() -> None:
    sent = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            sent += 0x10000
            await writer.drain()

    answer, _ = post(endless)
    assert answer.status == 200
    assert len(answer.text) == sending.TEXT_CHARS_MAX
    assert sent < 50_000_000


def test_who_answers_too_slowly_has_not_answered() -> None:
    async def dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Each byte comes in time for a limit on reads: the limit is on the whole.
        for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"y" * 200:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    answer, _ = post(dripping, seconds_max=0.5)
    assert answer.status is None
    assert "no answer within 0.5 s" in answer.text
    assert 400 <= answer.duration_ms < 3_000


def test_nobody_listens_is_an_answer_too() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    async def story() -> DeliveryAttempt:
        async with Sender(private=True) as sender:
            return await sender.post(f"http://127.0.0.1:{port}/", {}, b"{}")

    answer = asyncio.run(story())
    assert answer.status is None
    assert "ConnectError" in answer.text


# --- The guard ------------------------------------------------------------------------------


def to(*found: str) -> sending.Resolve:
    async def resolve(host: str, port: int) -> Sequence[Address]:
        return [ip_address(each) for each in found]

    return resolve


def test_a_name_of_the_own_network_is_not_connected_to() -> None:
    """The listener is there; who is not let through never reaches it."""

    async def story() -> list[tuple[DeliveryAttempt, int]]:
        found = []
        async with listening(reply("200 OK")) as (port, heads):
            for resolve in (
                sending.resolved,
                to("127.0.0.1"),
                to("::ffff:127.0.0.1"),
                to("8.8.8.8", "127.0.0.1"),
                to(),
            ):
                async with Sender(resolve=resolve) as sender:
                    url = f"https://localhost:{port}/"
                    found.append((await sender.post(url, {}, b"{}"), len(heads)))
        return found

    for answer, heads in asyncio.run(story()):
        assert (answer.status, heads) == (None, 0)
        assert "address" in answer.text


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "[::1]", "[::ffff:7f00:1]",
     "127.0.0.1", "localhost", "localhost."],
)  # fmt: skip
def test_no_way_of_writing_the_own_machine_is_let_through(host: str) -> None:
    async def story() -> DeliveryAttempt:
        async with Sender() as sender:
            return await sender.post(f"https://{host}:9/", {}, b"{}")

    answer = asyncio.run(story())
    assert answer.status is None
    # The guard says so, or the name is none and resolves to nothing at all.
    said = ("not of the public internet", "gaierror", "InvalidURL")
    assert any(each in answer.text for each in said), answer.text
    assert "Connect" not in answer.text


def test_http_is_refused_unless_it_is_permitted() -> None:
    async def story() -> DeliveryAttempt:
        async with Sender(resolve=to("8.8.8.8")) as sender:
            return await sender.post("http://example.org/", {}, b"{}")

    assert "https" in asyncio.run(story()).text


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to() -> None:
    """A name that answers differently the second time (DNS rebinding) is not asked again."""
    asked: list[str] = []

    async def story() -> tuple[DeliveryAttempt, list[bytes]]:
        async with listening(reply("200 OK")) as (port, heads):

            async def rebinding(host: str, _: int) -> Sequence[Address]:
                asked.append(host)
                return [ip_address("127.0.0.1" if len(asked) == 1 else "127.0.0.2")]

            async with Sender(private=True, resolve=rebinding) as sender:
                # No resolver of the system knows this name: a second look-up would fail.
                url = f"http://rebinding.invalid:{port}/"
                return await sender.post(url, {}, b"{}"), heads

    answer, heads = asyncio.run(story())
    assert (answer.status, asked) == (200, ["rebinding.invalid"])
    assert b"host: rebinding.invalid" in heads[0].lower()


@settings(max_examples=200, deadline=None, print_blob=True)
@given(st.lists(st.ip_addresses(), min_size=1, max_size=4))
def test_one_address_that_is_closed_closes_the_name(found: list[Address]) -> None:
    async def resolve(host: str, port: int) -> Sequence[Address]:
        return found

    async def story() -> bool:
        async with Sender(resolve=resolve) as sender:
            try:
                return set(await sender._checked("example.org", 443)) <= set(found)
            except sending.AddressRefused:
                return False

    assert asyncio.run(story()) == all(is_public(each) for each in found)


def test_an_address_that_lets_nobody_in_is_passed_over() -> None:
    async def story() -> tuple[DeliveryAttempt, int]:
        async with listening(reply("200 OK")) as (port, heads):
            async with Sender(private=True, resolve=to("127.0.0.2", "::1", "127.0.0.1")) as sender:
                answer = await sender.post(f"http://partner.test:{port}/", {}, b"{}")
            return answer, len(heads)

    answer, heads = asyncio.run(story())
    assert (answer.status, heads) == (200, 1)


# --- TLS ------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> Path:
    """Make a certificate that signs itself for a name, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("host", "trusted", "status"),
    [("partner.test", True, 200), ("other.test", True, None), ("partner.test", False, None)],
)
def test_the_certificate_has_to_be_that_of_the_name(
    tmp_path: Path, host: str, trusted: bool, status: int | None
) -> None:
    """The checked address is connected to; what proves itself there is the name."""
    pem = certificate(tmp_path, "partner.test")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    trust = ssl.create_default_context(cafile=str(pem)) if trusted else True

    async def story() -> DeliveryAttempt:
        async with (
            listening(reply("200 OK"), tls=serving) as (port, _),
            Sender(private=True, resolve=to("127.0.0.1"), verify=trust) as sender,
        ):
            return await sender.post(f"https://{host}:{port}/", {}, b"{}")

    answer = asyncio.run(story())
    assert answer.status == status, answer.text
    if status is None:
        assert "certificate" in answer.text.lower()
