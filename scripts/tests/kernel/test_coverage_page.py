# SPDX-License-Identifier: GPL-2.0
"""The reports of scripts/coverage in a browser: what a reader sees, and that nothing of a patch runs there."""

import html as entities
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mhp.coverage import judge, output, page, scope
from mhp.coverage.model import Data, Line
from mhp.coverage.patches import Own, Patch

BROWSER = shutil.which("chromium")
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
SOURCE = f"int f(int a)\n{{\n\tif (a)\n\t\treturn 1; /* {HOSTILE} */\n\treturn 0;\n}}\n"


def shown(place: Path, tmp_path: Path) -> str:
    """The page as the browser has it after loading; a picture of it must come out, too."""
    assert BROWSER
    picture = tmp_path / "page.png"
    argv = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/chromium"]
    subprocess.run([*argv, f"--screenshot={picture}", place.as_uri()], capture_output=True, timeout=120, check=True)
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 5000
    return subprocess.run([*argv, "--dump-dom", place.as_uri()], capture_output=True, text=True, timeout=120,
                          check=True).stdout


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed (Debian package chromium)")
def test_pages_in_a_browser(tmp_path: Path) -> None:
    (tmp_path / "mm").mkdir()
    (tmp_path / "mm/a.c").write_text(SOURCE)
    data: Data = {"mm/a.c": {1: Line({"um": 3, "x86_64": 0}), 3: Line({"um": 3}, {"um": (3, 0)}), 4: Line({"um": 0}), 5: Line({"um": 3})}}
    own = [Own(Patch(1, "c0ffee", HOSTILE), {"mm/a.c": [3, 4]})]
    thresholds = {name: scope.Threshold(50, 100) for name in (scope.LINES, scope.BRANCHES)}
    judged = judge.judge(tmp_path, data, own, scope.Scope({"mm/a.c": ("*",)}), [],
                         {**thresholds, scope.SERIES: scope.Threshold(100, 100)})
    texts = {"mm/a.c": SOURCE.splitlines()}
    output.write(tmp_path, tmp_path, judged.reported, texts)
    output.write_html(tmp_path, tmp_path, "a title")
    (tmp_path / "series.html").write_text(page.page(judged, texts, HOSTILE))
    (tmp_path / "scope.html").write_text(page.scope_page(judged, texts, HOSTILE))
    dom = shown(tmp_path / "series.html", tmp_path)
    text = entities.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", dom, flags=re.DOTALL))
    assert "<title>Coverage of the series</title>" in dom and "<img" not in dom
    for words in ("executable lines of the series: 50.00 % are reached", "mm/a.c", "um 3", "um 0", HOSTILE, "never ran"):
        assert words in text
    assert len(re.findall('<tr class="miss">', dom)) == 1 and len(re.findall('<tr class="hit">', dom)) == 1
    dom = shown(tmp_path / "scope.html", tmp_path)
    text = entities.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", dom, flags=re.DOTALL))
    assert "<title>Coverage of memory hotplug</title>" in dom and "<img" not in dom
    for words in ("mm/a.c", "lines on um", "lines on x86_64", "75.0 %", "um 3 x86_64 0", HOSTILE):
        assert words in text
    assert re.findall('<tr class="([^"]*)">', dom) == ["hit", "", "hit own", "miss own", "hit", ""]
    whole = shown(tmp_path / "html/index.html", tmp_path)
    assert "a title" in whole and "75.0" in whole, "genhtml: three of four lines"
