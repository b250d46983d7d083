# SPDX-License-Identifier: GPL-2.0
"""The report of scripts/check in a browser: what a reader sees, and that nothing of a patch runs there."""

import html as entities
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mhp.check import html
from mhp.check.model import Finding, Report, Result, Status
from mhp.check.series import Series

BROWSER = shutil.which("chromium")
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed (Debian package chromium)")
def test_page_in_a_browser_shows_text_and_runs_nothing(tmp_path: Path) -> None:
    assert BROWSER
    results = [Result("checkpatch", 1, Report((Finding(Status.FAIL, HOSTILE, "mm/x.c:1", HOSTILE),)), 0.5, False,
                      f"scripts/check {HOSTILE}"),
               Result("kunit-um", 2, Report((Finding(Status.FAIL, "um: s.a failed; it passed before", "s.a", "expected 1"),)),
                      3.5, False, "scripts/check --only=kunit-um --patch=2"), Result("cover", None, Report(skipped="no cover"), 0, False, "x")]
    page = tmp_path / "report.html"
    page.write_text(html.page(Series(HOSTILE, (), "base", None, "", False), results, {"kernel": HOSTILE}))
    argv = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/chromium"]
    picture = tmp_path / "page.png"
    subprocess.run([*argv, f"--screenshot={picture}", page.as_uri()], capture_output=True, timeout=120, check=True)
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 5000
    dom = subprocess.run([*argv, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120,
                         check=True).stdout
    text = entities.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", dom, flags=re.DOTALL))
    assert "<title>scripts/check: " in dom and "owned</title>" not in dom and "<img" not in dom
    for seen in ("Not fit to post: a check fails.", "0 pass, 0 warn, 2 fail, 1 skip", "mm/x.c:1", "no cover", HOSTILE,
                 "s.a", "um: s.a failed; it passed before", "expected 1", "scripts/check --only=kunit-um --patch=2"):
        assert seen in text
