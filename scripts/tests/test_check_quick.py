# SPDX-License-Identifier: GPL-2.0
"""What makes the quick tier quick, and must not change what it says: shared runs of checkpatch.pl, work done once."""

import threading
import time
from pathlib import Path

import pytest
from small_world import World

from mhp.check import checkpatch, series, shell_words
from mhp.check.model import Job
from mhp.check.once import Once
from mhp.check.store import Store
from mhp.exits import Exit, MhpError
from mhp.tree import using

FAKE = """\
#!/bin/sh
echo "run $HOME" >>{log}
for file; do case "$file" in
--*) ;;
*) [ $(ls "$(dirname "$file")" | grep -c patch) = 1 ] || {{ l=$(printf %s "$file" | tr -c x - | tr x -); printf '%s\\n' "$l" "$file" "$l"; }}
   printf 'WARNING:SAMPLE: %s\\n#1: FILE: mm/a.c:7:\\n\\n' "$(grep -m1 '^Subject' "$file")";;
esac; done
exit 1
"""


def test_runs_are_shared_out_and_camelcase_is_kept_apart(world: World) -> None:
    for number in range(1, 6):
        world.mm_patch(number)
    world.patch(world.patches, "0006-camel.patch", {"mm/page_alloc.c": ("return 3;", "return aName;")}, "mm: camel")
    world.patch(world.patches, "0007-camel.patch", {"mm/page_alloc.c": ("return 9;", "return aName;")}, "mm: camel too")
    tree = world.prepare()
    with using(tree):
        found = series.read(tree, None, None).patches
    for processors in (1, 2, 4):
        groups = checkpatch.share_out(found, processors)
        assert sorted(patch.number for group in groups for patch in group) == [1, 2, 3, 4, 5, 6, 7]
        assert len(groups) == max(processors, 2)
        assert not any({6, 7} <= {patch.number for patch in group} for group in groups)


def test_dictionary_without_what_cannot_match_is_the_same() -> None:
    dictionary = b"teh->the\nabov->above\nfoo-br->foo-bar\ncan;t->can't\nseperate->separate\n"
    assert checkpatch.possible(dictionary, [b"+ of Teh page\n", b"a foo-br, xabov above"]) == (
        b"teh->the\nfoo-br->foo-bar\ncan;t->can't\n")


def test_each_patch_gets_its_own_messages_and_is_looked_at_once(world: World, tmp_path: Path,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 6):
        world.mm_patch(number)
    tree = world.prepare()
    log, script = tmp_path / "log", tree.path / checkpatch.SCRIPT
    script.parent.mkdir(exist_ok=True)
    script.write_text(FAKE.format(log=log))
    script.chmod(0o755)

    def said() -> list[str]:
        for shared in ("_shared", "_said"):
            monkeypatch.setattr(checkpatch, shared, Once())
        found = series.read(tree, None, None)
        asked = tuple(patch.number for patch in found.patches)
        return [checkpatch.messages(Job(found, patch, tree, tmp_path, asked=asked))[0].text for patch in found.patches]

    with using(tree):
        assert said() == [f"SAMPLE: Subject: [PATCH] mm: change {number}" for number in range(1, 6)]
        first = len(log.read_text().splitlines())
        assert first < 5 and all(line.startswith(f"run {tmp_path}/") for line in log.read_text().splitlines())
        assert len(said()) == 5 and len(log.read_text().splitlines()) == first
        file = world.patches / "0002-mm-change-2.patch"
        file.write_text(file.read_text().replace("mm: change 2", "mm: change two"))
        assert said()[1] == "SAMPLE: Subject: [PATCH] mm: change two"
        assert len(log.read_text().splitlines()) == first + 1


@pytest.mark.parametrize("text, line", [
    ("Subject: x\n\nsays\n+++ b/mm/$(touch${IFS}x).c\n", 4),
    ("diff --git a/mm/a.c b/mm/`id`.c\n", 1),
    ("diff --git$(id)\n", 1),
    ("x\n@@ -0,0 +1,2 @@\n+// SPDX-License-Identifier: GPL-2.0 $(touch x)\n", 3),
    ("@@ -0,0 +1,2 @@\n+#!/bin/sh\n+# SPDX-License-Identifier: GPL-2.0\\\n", 3),
    ("@@ -1 +1 @@ int f(void)\n+/* SPDX-License-Identifier: \"; id; */\n", 2),
    ("Signed-off-by: A\n@@ -0,0 +1,9 @@\n@@ -1 +1000 @ x\n+// SPDX-License-Identifier: GPL-2.0 $(id)\n", 4),
    ("@@ -0,0 +1,9 @@\nSubject: x\n\nText.\n@@ -1 +1000 @@\n+// SPDX-License-Identifier: GPL-2.0 $(id)\n", 6),
    (f"@@ -1 +{'1' * 5000} @@\n+// SPDX-License-Identifier: GPL-2.0 $(id)\n", 2),
    ("Subject: x\n\n  $ git grep -L 'SPDX-License-Identifier: ' -- \"mm/*.c\"\n+// SPDX-License-Identifier: $(quoted)\n", 0),
    ("@@ -1,3 +1,4 @@\n #!/bin/sh\n # SPDX-License-Identifier: \"$1\"\n+x\n", 0),
    ("diff --git a/mm/a.c b/mm/a.c\n--- a/mm/a.c\t2024-01-01 00:00\n+++ b/mm/a.c\t2024-01-01 00:00 $(of no interest)\n", 0),
    ("+++b/$(it takes this for code)\n++++ $x\n", 0),
    ("@@ -0,0 +1,9 @@\n+// SPDX-License-Identifier: (GPL-2.0 OR MIT)\n", 0),
    ("@@ -7,2 +7,3 @@\n+\techo \"# SPDX-License-Identifier: $1\"\n", 0)])
def test_words_of_a_mail_for_a_shell_are_seen(text: str, line: int) -> None:
    assert shell_words.first(text.encode()) == line


def test_mail_for_a_shell_is_not_given_to_checkpatch(world: World, tmp_path: Path) -> None:
    world.mm_patch(1)
    file = world.mm_patch(2)
    file.write_text(file.read_text().replace("\n---\n", "\n\n+++ b/$(id).c\n---\n", 1))
    world.mm_patch(3)
    tree = world.prepare()
    log, script = tmp_path / "log", tree.path / checkpatch.SCRIPT
    script.parent.mkdir(exist_ok=True)
    script.write_text(FAKE.format(log=log).replace("run $HOME", "$@"))
    script.chmod(0o755)
    with using(tree):
        found = series.read(tree, None, None)
        assert "$(id)" in found.patches[1].raw.decode()
        jobs = [Job(found, patch, tree, tmp_path, asked=(1, 2, 3)) for patch in found.patches]
        assert len(checkpatch.messages(jobs[0])) == len(checkpatch.messages(jobs[2])) == 1
        with pytest.raises(MhpError, match="refused"):
            checkpatch.messages(jobs[1])
    assert "/2.patch" not in log.read_text() and "/3.patch" in log.read_text()


def test_work_that_several_want_is_done_once() -> None:
    once: Once[int] = Once()
    made: list[int] = []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return len(made)

    threads = [threading.Thread(target=lambda: once.get("name", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1] and once.get("other", make) == 2


def test_work_that_failed_is_not_tried_by_each_who_asks() -> None:
    once: Once[int] = Once()
    tried: list[int] = []

    def make() -> int:
        tried.append(1)
        raise MhpError(Exit.TIMEOUT, "after minutes")

    for _ in range(3):
        with pytest.raises(MhpError, match="after minutes"):
            once.get("name", make)
    assert tried == [1]


def test_store_is_written_and_tidied_by_several_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(300):
                store.put("same", {"number": number})
                store.prune()
        except BaseException as err:  # pylint: disable=broad-exception-caught
            failed.append(err)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and store.get("same") == {"number": 299}
