# SPDX-License-Identifier: GPL-2.0
"""What a directory and an mbox hold: which mails are of the series, in which order, and in plain text."""

import time
from base64 import b64encode
from pathlib import Path
from quopri import encodestring

import pytest
from small_world import git, write

from mhp import mails
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.mails import Collected, Tag

TEXT = "Why: é.\n\nSigned-off-by: A <a@mm.test>\n---\n"
DIFF = "diff --git a/mm/a.c b/mm/a.c\n--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1 +1 @@\n-int a = 1;\n+int a = {};\n"
HEAD = "From: A <a@mm.test>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\nSubject: {}\n"
BLURB = "All of it, in words.\n\nA (1):\n  mm: a\n\n mm/a.c | 2 +-\n"


def patch(subject: str, value: int = 2) -> str:
    """A mail with a patch."""
    return f"{HEAD.format(subject)}\n{TEXT}{DIFF.format(value)}"


def letter(subject: str) -> str:
    """A cover letter."""
    return f"{HEAD.format(subject)}\n{BLURB}"


@pytest.fixture(name="repository")
def fixture_repository(tmp_path: Path) -> Git:
    git(tmp_path, "init", "-q", "repository")
    return Git(tmp_path / "repository/.git")


def box(path: Path, *texts: str) -> Path:
    """An mbox of these mails."""
    path.write_text("".join(f"From x Thu Jan  1 00:00:00 1970\n{text}\n" for text in texts), encoding="utf-8")
    return path


def collect(repository: Git, path: Path) -> Collected:
    return mails.collect(repository, str(path), None)


def subjects(found: Collected) -> list[str]:
    return [mails.subject_of(data) for _name, data in found.patches]


@pytest.mark.parametrize("subject, tag", [
    ("mm: a", Tag(1, None, 0)), ("[PATCH] mm: a", Tag(1, None, 0)), ("[PATCH v12 03/10] mm: 1/2", Tag(12, 3, 10)),
    ("[RFC v2 3/3] x", Tag(2, 3, 3)), ("[PATCHv2 1/5] x", Tag(2, 1, 5)), ("[v3 1/5] x", Tag(3, 1, 5)),
    ("[PATCH mm-unstable] [RESEND v4 0/2] x", Tag(4, 0, 2)), ("[tip: x86/mm] x86/mm: a", Tag(1, None, 0)),
    ("mm: [v9 2/3] in brackets", Tag(1, None, 0))])
def test_brackets_of_a_subject(subject: str, tag: Tag) -> None:
    assert mails.tag_of(subject) == tag


def test_directory_of_a_second_version(repository: Git, tmp_path: Path) -> None:
    """As `git format-patch -v2 --cover-letter` leaves it."""
    write(tmp_path, {"out/v2-0000-cover-letter.patch": letter("[PATCH v2 0/2] mm: all"),
                     "out/v2-0001-mm-a.patch": patch("[PATCH v2 1/2] mm: a"),
                     "out/v2-0002-mm-b.patch": patch("[PATCH v2 2/2] mm: b")})
    found = collect(repository, tmp_path / "out")
    assert [name for name, _data in found.patches] == ["v2-0001-mm-a.patch", "v2-0002-mm-b.patch"]
    assert found.cover and b"All of it" in found.cover


@pytest.mark.parametrize("files, said", [
    ({"0001-a.patch": "[PATCH 1/2] a", "v2-0001-a.patch": "[PATCH v2 1/2] a"}, r"several versions.*v1, v2"),
    ({"0001-a.patch": "[PATCH 1/3] a", "0002-b.patch": "[PATCH 3/3] b"}, "patch 2 of 3 is missing"),
    ({"0001-a.patch": "[RFC 1/2] a", "0002-b.patch": "[RFC 1/2] b"}, "same number"),
    ({"0001-a.patch": "[PATCH 1/1] a", "0002-b.patch": "[PATCH] b"}, "0002-b.patch has no number"),
    ({"0001-a.patch": "[PATCH 1/999999999] a"}, "one of 999999999"),
    ({"0001-a.patch": "[PATCH 1/900] a"}, r"patch 2, 3, .*, 11, \.\.\. of 900")])
def test_directory_that_is_no_series_is_refused(repository: Git, tmp_path: Path, files: dict[str, str], said: str) -> None:
    write(tmp_path, {f"out/{name}": patch(subject) for name, subject in files.items()})
    with pytest.raises(MhpError, match=said) as caught:
        collect(repository, tmp_path / "out")
    assert caught.value.status == Exit.USAGE and len(str(caught.value)) < 400


def test_file_of_two_mails_is_refused(repository: Git, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    box(tmp_path / "out/0001-a.patch", patch("[PATCH] a"), patch("[PATCH] b"))
    with pytest.raises(MhpError, match="1 .*files hold 2 mails"):
        collect(repository, tmp_path / "out")


def test_mbox_in_the_order_of_numbers_without_the_word_patch(repository: Git, tmp_path: Path) -> None:
    path = box(tmp_path / "t.mbox", patch("[RFC v2 3/3] c"), patch("[RFC v2 1/3] a"), letter("[RFC v2 0/3] all"),
               patch("[RFC v2 2/3] b"))
    found = collect(repository, path)
    assert subjects(found) == ["[RFC v2 1/3] a", "[RFC v2 2/3] b", "[RFC v2 3/3] c"] and found.cover


def test_mbox_of_a_thread(repository: Git, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Replies and what a bot sends when it was merged are of the thread, not of the series."""
    path = box(tmp_path / "t.mbox", letter("[PATCH 0/2] all"), letter("Re: [PATCH 0/2] all"), patch("[PATCH 2/2] b"),
               patch("[tip: x86/mm] a"), patch("[PATCH 1/2] a"), patch("Re: [PATCH 1/2] a"))
    assert subjects(collect(repository, path)) == ["[PATCH 1/2] a", "[PATCH 2/2] b"]
    assert "left out, since it has no number and others have: [tip: x86/mm] a" in capsys.readouterr().err


def encoded(subject: str, value: int, encoding: str) -> str:
    """A mail of the same patch in that transfer encoding."""
    body = f"{TEXT}{DIFF.format(value)}".encode()
    coded = encodestring(body) if encoding == "quoted-printable" else b64encode(body)
    lines = coded.decode() if encoding == "quoted-printable" else "\n".join(
        coded.decode()[at:at + 76] for at in range(0, len(coded), 76))
    return (f"{HEAD.format(subject)}MIME-Version: 1.0\nContent-Type: text/plain;\n charset=utf-8\n"
            f"Content-Transfer-Encoding: {encoding}\nTo: mm@mm.test\n\n{lines}\n")


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
def test_tools_get_the_text_of_an_encoded_mail(repository: Git, tmp_path: Path, encoding: str) -> None:
    path = box(tmp_path / "t.mbox", encoded("=?UTF-8?q?=5BPATCH_v3_1/2=5D_mm=3A_=C3=A9?=", 7, encoding),
               patch("[PATCH v3 2/2] mm: b"))
    (_name, data), (_other, plain) = collect(repository, path).patches
    text = data.decode()
    assert mails.tag_of(mails.subject_of(data)) == Tag(3, 1, 2)
    assert f"\n{TEXT}{DIFF.format(7)}" in text and "To: mm@mm.test" in text
    assert text.count("Content-Transfer-Encoding: 8bit") == 1 and encoding not in text and "charset=utf-8" not in text
    assert plain.decode().rstrip("\n").endswith(patch("[PATCH v3 2/2] mm: b").rstrip("\n"))


def test_encoded_cover_letter_is_decoded(repository: Git, tmp_path: Path) -> None:
    cover = (f"{HEAD.format('[PATCH 0/1] all')}Content-Type: text/plain; charset=utf-8\n"
             f"Content-Transfer-Encoding: base64\n\n{b64encode(b'*** BLURB HERE ***').decode()}\n")
    found = collect(repository, box(tmp_path / "t.mbox", cover, patch("[PATCH 1/1] a")))
    assert found.cover and b"*** BLURB HERE ***" in found.cover


def test_author_of_an_encoded_mail_stays(repository: Git) -> None:
    text = encoded("[PATCH] mm: a", 2, "quoted-printable").partition("\n\n")
    mail = f"{text[0]}\n\nFrom: B <b@mm.test>\n\n{text[2]}".encode()
    assert b"\n\nFrom: B <b@mm.test>\n\nWhy" in mails.decoded(repository, mail, "x")


def test_carriage_returns_are_dropped(repository: Git, tmp_path: Path) -> None:
    write(tmp_path, {"out/0001-a.patch": ""})
    (tmp_path / "out/0001-a.patch").write_bytes(patch("[PATCH] mm: a").replace("\n", "\r\n").encode())
    ((_name, data),) = collect(repository, tmp_path / "out").patches
    assert data.decode() == patch("[PATCH] mm: a")


def test_subject_without_end_takes_no_time(repository: Git, tmp_path: Path) -> None:
    begun = time.monotonic()
    path = box(tmp_path / "t.mbox", patch("[PATCH " * 8000 + "x"))
    assert len(subjects(collect(repository, path))[0]) == 200
    assert time.monotonic() - begun < 5
