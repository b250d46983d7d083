# SPDX-License-Identifier: GPL-2.0
"""checkpatch.pl with several patches at once, and a part of codespell's dictionary, says what it says of each by itself."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mhp import run
from mhp.check import checkpatch, registry, series, shell_words
from mhp.check.model import Job
from mhp.git import clean_environment
from mhp.tree import prepare, using

# They have something to complain of, a wrong word among it.
SAMPLES = ("checkpatch", "signoff", "spdx", "reported", "kconfig")


@pytest.mark.skipif(not checkpatch._DICTIONARY.is_file(), reason="codespell is not installed")  # pylint: disable=protected-access
def test_shared_runs_say_what_single_ones_say(tmp_path: Path) -> None:
    kdir = os.environ.get("LINUX")
    tree = prepare(Path(kdir) if kdir else None)
    with using(tree):
        found = series.read(tree, None, None)
        patches = [patch for name in SAMPLES
                   for patch in series.read(tree, str(registry.CHECKS / name / "samples/bad.mbox"), None).patches]
        theirs = (tree.path / "scripts/spelling.txt").read_bytes()
        word = next(word for line in checkpatch._DICTIONARY.read_bytes().splitlines()  # pylint: disable=protected-access
                    if len(word := line.partition(b"->")[0]) > 8 and word.isalpha() and word not in theirs
                    and b"disabled" not in line)
        misspelt = replace(patches[0], raw=patches[0].raw.replace(b"\n\n", b"\n\nThe " + word + b" pages.\n\n", 1))
        # Those with a name in CamelCase twice: the second time it must be told again.
        camel = [patch for patch in found.patches if checkpatch._is_camel(patch)]  # pylint: disable=protected-access
        patches = [replace(patch, number=number) for number, patch in
                   enumerate([*patches, misspelt, *found.patches[:2], *camel, *camel], 1)]
        job = Job(replace(found, patches=tuple(patches)), None, tree, tmp_path)
        groups = checkpatch.share_out(patches, 2)
        together = {number: said for group in groups
                    for number, said in checkpatch._run(job, group).items()}  # pylint: disable=protected-access
        for patch in patches:
            file = tmp_path / "one.patch"
            file.write_bytes(patch.raw)
            done = run.run([tree.path / checkpatch.SCRIPT, "--strict", "--no-summary", "--show-types", "--color=never",
                            "--codespell", f"--codespellfile={checkpatch._DICTIONARY}", file],  # pylint: disable=protected-access
                           cwd=tree.path, env=clean_environment(), timeout=120)
            alone = tuple(checkpatch._parse(done.text))  # pylint: disable=protected-access
            assert together[patch.number] == alone, patch.subject
    kinds = {kind for said in together.values() for kind, _finding in said}
    texts = "".join(finding.text for said in together.values() for _kind, finding in said)
    assert {"TYPO_SPELLING", "CAMELCASE"} <= kinds and len(kinds) > 4 and f"'{word.decode()}' may be misspelled" in texts


@pytest.mark.parametrize("text, harmless", [
    ("+++ b/mm/$(touch${IFS}NAME)\n", "+++ b/mm/page.c\n"),
    ("diff --git a/mm/a.c b/mm/`touch${IFS}NAME`\n", "diff --git a/mm/a.c b/mm/b.c\n"),
    ("--- /dev/null\n+++ b/mm/a.c\n@@ -0,0 +1 @@\n+// SPDX-License-Identifier: GPL-2.0 $(touch NAME)\n",
     "--- /dev/null\n+++ b/mm/a.c\n@@ -0,0 +1 @@\n+// SPDX-License-Identifier: GPL-2.0\n")])
def test_what_checkpatch_gives_to_a_shell_is_refused(tmp_path: Path, text: str, harmless: str) -> None:
    """Its own words are run when they are not refused, or there is nothing to refuse any more."""
    made = tmp_path / "made"
    mail = f"From: A <a@b.c>\nSubject: [PATCH] mm: x\n\nWhy.\n---\n{text}".replace("NAME", str(made)).encode()
    assert shell_words.first(mail) and not shell_words.first(mail.replace(text.replace("NAME", str(made)).encode(),
                                                                           harmless.encode()))
    kdir = os.environ.get("LINUX")
    tree = prepare(Path(kdir) if kdir else None)
    with using(tree):
        file = tmp_path / "one.patch"
        file.write_bytes(mail)
        run.run([tree.path / checkpatch.SCRIPT, "--strict", file], cwd=tree.path, env=clean_environment(), timeout=120)
    assert made.exists(), "this kernel's checkpatch.pl gives it to no shell: the rule for it can go"
