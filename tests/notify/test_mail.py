"""Proof that a mail reaches a real server as written, once, and nothing secret leaves otherwise."""

import logging
import stat
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.smtp import mail_server
from tests.upstreams.certificates import Authority
from tollbridge.core.settings import SettingsError, load_settings
from tollbridge.notify.mail import Mail, Mailer, MailNotSent, addresses

AT_MS = 1_767_225_600_123
MAIL = Mail("ops@example.test", "Disk low: hörbar", "first\n.dot line\nwallet 7 lost $0.10\n")


def mailer(port: int, folder: Path = Path("unused"), **changes) -> Mailer:
    options = {"host": "127.0.0.1", "port": port, "security": "none"} | changes
    return Mailer(sender="Tollbridge <gate@example.test>", folder=folder, **options)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that the system trusts."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", made.ca_file)
    return made


async def test_a_mail_arrives_as_written():
    async with mail_server() as server:
        await mailer(server.port).send(MAIL, "a-1", AT_MS)
        (got,) = server.mails
    assert (got.sender, got.to) == ("gate@example.test", ["ops@example.test"])
    assert got.message["subject"] == MAIL.subject
    assert got.message["from"] == "Tollbridge <gate@example.test>"
    assert got.message["message-id"] == "<a-1@example.test>"
    assert got.message["auto-submitted"] == "auto-generated"
    assert got.message["date"].datetime.timestamp() == AT_MS // 1000
    assert got.message.get_content().replace("\r\n", "\n") == MAIL.text
    assert server.commands[-1] == "QUIT"


async def test_every_try_sends_the_same_bytes():
    both = Mail(MAIL.to, MAIL.subject, MAIL.text, "<p>wallet 7</p>")
    async with mail_server() as server:
        for _ in range(2):
            await mailer(server.port).send(both, "a-1", AT_MS)
    first, second = server.mails
    assert first.content == second.content
    kinds = [part.get_content_type() for part in first.message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]


async def test_starttls_before_the_password(authority: Authority):
    login = ("gate", "s3cret")
    async with mail_server(starttls=authority.server("127.0.0.1"), login=login) as server:
        sender = mailer(server.port, security="starttls", user="gate", password="s3cret")
        await sender.send(MAIL, "a-1", AT_MS)
        (got,) = server.mails
    assert (got.encrypted, got.user) == (True, "gate")
    assert server.commands.index("STARTTLS") < server.commands.index("AUTH")


async def test_encrypted_from_the_start(authority: Authority):
    async with mail_server(tls=authority.server("127.0.0.1")) as server:
        await mailer(server.port, security="tls").send(MAIL, "a-1", AT_MS)
    assert server.mails[0].encrypted


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_stranger_gets_no_mail(tmp_path: Path, security: str):
    # An authority that nobody told the system to trust.
    theirs = Authority(tmp_path).server("127.0.0.1")
    tls = {"tls": theirs} if security == "tls" else {"starttls": theirs}
    async with mail_server(**tls) as server:
        with pytest.raises(MailNotSent, match="no trusted encryption"):
            await mailer(server.port, security=security).send(MAIL, "a-1", AT_MS)
    assert not server.mails


async def test_a_certificate_of_another_name(authority: Authority):
    async with mail_server(tls=authority.server("mail.example.test")) as server:
        with pytest.raises(MailNotSent, match="no trusted encryption"):
            await mailer(server.port, security="tls").send(MAIL, "a-1", AT_MS)
    assert not server.mails


async def test_no_password_without_the_encryption_that_was_asked_for():
    async with mail_server(login=("gate", "s3cret")) as server:
        sender = mailer(server.port, security="starttls", user="gate", password="s3cret")
        with pytest.raises(MailNotSent, match="does not offer"):
            await sender.send(MAIL, "a-1", AT_MS)
    assert "AUTH" not in server.commands


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ({"answers": {"RCPT": "550 wallet 7 unknown"}}, "answered 550"),
        ({"answers": {"MAIL": "451 later"}}, "answered 451"),
        ({"answers": {"content": "554 wallet 7 is spam"}}, "answered 554"),
        ({"login": ("gate", "other")}, r"user or password \(535\)"),
    ],
)
async def test_refused(behaviour: dict, says: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with mail_server(**behaviour) as server:
        sender = mailer(server.port, user="gate" if "login" in behaviour else "", password="s3cret")
        with pytest.raises(MailNotSent, match=says) as caught:
            await sender.send(MAIL, "a-1", AT_MS)
    told = caplog.text + str(caught.value)
    assert "s3cret" not in told and "wallet 7" not in told
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("command", ["EHLO", "DATA"])
async def test_a_silent_server_is_left(command: str):
    async with mail_server(hangs_at=command) as server:
        with pytest.raises(MailNotSent, match="in time"):
            await mailer(server.port, deadline_s=0.2).send(MAIL, "a-1", AT_MS)


async def test_a_farewell_that_fails_does_not_send_again():
    async with mail_server(answers={"QUIT": "421 whatever"}) as server:
        await mailer(server.port).send(MAIL, "a-1", AT_MS)
    assert len(server.mails) == 1


async def test_nobody_listens():
    async with mail_server() as server:
        port = server.port
    with pytest.raises(MailNotSent, match="cannot be reached"):
        await mailer(port).send(MAIL, "a-1", AT_MS)


async def test_without_a_server_mail_is_a_private_file(tmp_path: Path, capsys):
    folder = tmp_path / "mail"
    settings = load_settings(mail_folder=str(folder), mail_from="gate@example.test")
    for _ in range(2):
        await Mailer.of(settings).send(MAIL, "a-1", AT_MS)
    (file,) = folder.iterdir()
    assert file.name == "a-1.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert b"To: ops@example.test\r\n" in file.read_bytes()
    told = capsys.readouterr().out
    assert str(file) in told and "wallet 7" not in told


_LINKS = "see https://example.test/ and\nhttp://127.0.0.1:8080/verify?token=abcdef0123\nlater /x\n"


def _link_settings(tmp_path: Path, **changes):
    base = {"mail_folder": str(tmp_path / "mail"), "database": f"sqlite:///{tmp_path}/t.db"}
    return load_settings(**{**base, **changes})


@pytest.mark.parametrize(
    ("site", "changes", "shown"),
    [
        ("http://127.0.0.1:8080", {}, True),
        # Another site's link, and the beginning of another host, are no links of ours.
        ("http://127.0.0.1:80", {}, False),
        ("https://example.tes", {}, False),
        (None, {}, False),
        # A log of a real installation may be collected anywhere.
        (
            "http://127.0.0.1:8080",
            {"database": "postgresql://user@host/db", "key_file": "keys"},
            False,
        ),
    ],
)
async def test_the_log_shows_a_link_where_trying_out(
    tmp_path: Path, capsys, site: str | None, changes: dict, shown: bool
):
    settings = _link_settings(tmp_path, **changes)
    sender = Mailer.of(settings, None if site is None else lambda: site)
    await sender.send(Mail("a@b.cd", "s", _LINKS), "a-1", AT_MS)
    told = capsys.readouterr().out
    assert ("verify?token=abcdef0123" in told) is shown
    assert ("link=" in told) is shown


async def test_the_log_shows_no_link_of_a_mail_that_was_sent(tmp_path: Path, capsys):
    async with mail_server() as server:
        settings = _link_settings(
            tmp_path, smtp_host="127.0.0.1", smtp_port=server.port, smtp_security="none"
        )
        sender = Mailer.of(settings, lambda: "http://127.0.0.1:8080")
        await sender.send(Mail("a@b.cd", "s", _LINKS), "a-1", AT_MS)
    assert len(server.mails) == 1
    assert "token" not in capsys.readouterr().out


async def test_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    sender = Mailer(sender="gate@example.test", folder=tmp_path / "file")
    with pytest.raises(MailNotSent, match="mail_folder"):
        await sender.send(MAIL, "a-1", AT_MS)


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a\r\nBcc: x@y.z", "é"])
async def test_a_message_id_is_a_plain_name(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="message id"):
        await Mailer(sender="gate@example.test", folder=tmp_path).send(MAIL, name, AT_MS)


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("a@b.c\r\nBcc: d@e.f", "s"),
        ("a@b.c\n", "s"),
        ("a@b.c, d@e.f", "s"),
        ("A <a@b.c>", "s"),
        ("a@b.c> SIZE=1", "s"),
        ("@b.c", "s"),
        ("ä@b.c", "s"),
        ("a" * 300 + "@b.c", "s"),
        ("a@b.c", "s\r\nBcc: d@e.f"),
        ("a@b.c", "s\u2028t"),
        ("a@b.c", ""),
        ("a@b.c", "s" * 201),
    ],
)
def test_headers_cannot_be_injected(to: str, subject: str):
    with pytest.raises(ValueError, match=r"address|subject"):
        Mail(to, subject, "text")


@given(st.text(min_size=1, max_size=60), st.text(max_size=200))
def test_whatever_passes_is_one_header_each(subject: str, text: str):
    try:
        mail = Mail("a@b.c", subject, text)
    except ValueError:
        return
    content = mailer(1)._message(mail, "a-1", AT_MS).as_bytes()
    head = content.partition(b"\r\n\r\n")[0].decode("ascii")
    names = [line.partition(":")[0] for line in head.split("\r\n") if line[:1] not in {" ", "\t"}]
    assert names == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
        *names[6:],
    ]  # fmt: skip
    assert {name.lower() for name in names[6:]} <= {
        "content-type", "content-transfer-encoding", "mime-version",
    }  # fmt: skip


@given(st.text(alphabet="密钥的额 ab·=?<", min_size=1, max_size=200).map(str.strip).filter(bool))
def test_a_subject_arrives_with_all_its_spaces(subject: str):
    content = mailer(1)._message(Mail("a@b.c", subject, "text"), "a-1", AT_MS).as_bytes()
    assert message_from_bytes(content, policy=policy.default)["subject"] == subject
    assert all(len(line) <= 78 for line in content.splitlines() if b"ubject" in line)


def test_a_mail_shows_nothing_of_itself():
    assert "wallet" not in repr(MAIL)


def test_addresses_of_a_setting():
    assert addresses("alert_mail_to", " a@b.c, d@e.f,,a@b.c ") == ("a@b.c", "d@e.f")
    assert addresses("alert_mail_to", "") == ()
    with pytest.raises(SettingsError, match="alert_mail_to"):
        addresses("alert_mail_to", "a@b.c; d@e.f")


@pytest.mark.parametrize("sender", ["", "nobody", "a@b.c\r\nBcc: d@e.f", "A <b>"])
def test_a_sender_is_an_address(sender: str):
    with pytest.raises(SettingsError, match="mail_from"):
        Mailer(sender=sender, folder=Path("unused"))
