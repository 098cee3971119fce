#!/usr/bin/env python3
"""rag watch, with files that come, change, move and go: what is printed, what is found, and that it
ends well."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from support import RAG, Case, FILES, ManyFiles, Reader, main, wait_until

MODE = ("--mode", "lexical")


class Watching(Case):
    def setUp(self):
        super().setUp()
        self.docs = self.write_documents()

    def watch(self, *arguments):
        """Starts it, and waits until it is up to date."""
        self.child = self.start("watch", "--json", *(arguments or ("docs",)),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.err = Reader(self.child.stdout), Reader(self.child.stderr)
        self.see(lambda: b"up to date; watching" in self.err.data, "the first update")
        first = 3 if not arguments else 2
        self.see(lambda: len(self.changes()) == first, "the first changes")

    def see(self, condition, what):
        wait_until(lambda: condition() or self.child.poll() is not None, what)
        self.assertTrue(condition(), f"{what}: {self.err.data!r} {self.out.data!r}")

    def changes(self):
        return [json.loads(line) for line in self.out.data.split(b"\n")[:-1]]

    def expect(self, change, name, begin=0):
        """A change of a file that is told after the first `begin` ones."""
        def came():
            return any(c["change"] == change and pathlib.Path(c["document"]) == self.docs / name
                       for c in self.changes()[begin:])
        self.see(came, f"{change} {name}")

    def stop(self, number=signal.SIGINT):
        self.child.send_signal(number)
        self.out.text()
        self.assertEqual(self.child.wait(), 0, self.err.text())
        self.assertEqual(self.text("verify"), "ok\n")
        report, = self.objects("index", "docs", "--json")
        self.assertEqual((report["added"], report["updated"], report["removed"],
                          report["renamed"]), (0, 0, 0, 0))

    def test_what_is_created_edited_renamed_and_deleted_is_followed(self):
        self.watch()
        self.write("docs/new.md", "# New\n\nA walrus has tusks.\n")
        self.expect("added", "new.md")
        self.run_rag("search", *MODE, "walrus")  # while it goes on
        self.write("docs/new.md", "# New\n\nA zebra has stripes.\n")
        self.expect("updated", "new.md")
        self.run_rag("search", *MODE, "walrus", status=1)
        before = len(self.changes())
        (self.docs / "new.md").rename(self.docs / "old.md")
        self.expect("renamed", "old.md")
        self.assertEqual(self.changes()[before]["from"], str(self.docs / "new.md"))
        (self.docs / "old.md").unlink()
        self.expect("removed", "old.md")
        self.assertEqual(len(self.changes()), before + 2)
        self.stop()

    def test_an_editor_s_ways_to_save_are_one_change(self):
        self.watch()
        garden = self.docs / "garden.md"
        # A temporary file that takes the place, as vim and most others do.
        temporary = self.write("docs/.garden.md.swp", FILES["garden.md"].replace("July", "August"))
        self.write("docs/4913", "")
        (self.docs / "4913").unlink()
        temporary.rename(garden)
        self.expect("updated", "garden.md")
        # The old one becomes a backup, and a new one is written.
        garden.rename(self.docs / "garden.md~")
        garden.write_text(FILES["garden.md"])
        self.see(lambda: len(self.changes()) == 5, "the second change")
        self.assertEqual([c["change"] for c in self.changes()[3:]], ["updated", "updated"])
        self.assertEqual(self.changes()[4]["chunks_embedded"], 1)
        self.stop()

    def test_folders_come_and_go_with_all_below_them(self):
        self.watch()
        outside = self.write("outside/deep/er/walrus.md", "# Walrus\n\nIt has tusks.\n")
        (self.folder / "outside").rename(self.docs / "inside")
        self.expect("added", "inside/deep/er/walrus.md")
        self.write("docs/inside/deep/zebra.md", "# Zebra\n")  # it is watched now
        self.expect("added", "inside/deep/zebra.md")
        (self.docs / "inside").rename(self.docs / "moved")
        self.expect("renamed", "moved/deep/er/walrus.md")
        self.write("docs/moved/deep/er/walrus.md", "# Walrus\n\nIt swims.\n")  # so is this
        self.expect("updated", "moved/deep/er/walrus.md")
        (self.docs / "moved").rename(self.folder / "outside")
        self.expect("removed", "moved/deep/er/walrus.md")
        self.expect("removed", "moved/deep/zebra.md")
        told = len(self.changes())
        outside.write_text("# Nothing\n")  # this is not
        os.makedirs(self.docs / "a/b/c")
        self.write("docs/a/b/c/d.md", "# At once\n")
        self.expect("added", "a/b/c/d.md", told)
        shutil.rmtree(self.docs / "a")
        self.expect("removed", "a/b/c/d.md", told)
        self.assertEqual(len(self.changes()), told + 2)
        self.stop()

    def test_ignored_and_hidden_files_are_no_change(self):
        self.write("docs/.gitignore", "secret*\n")
        self.watch()
        self.write("docs/secret.md", "# Secret\n")
        self.write("docs/secret/deep.md", "# Secret\n")
        self.write("docs/.hidden.md", "# Hidden\n")
        self.write("docs/picture.png", b"\x89PNG")
        self.write("docs/notes/seen.md", "# Seen\n")
        self.expect("added", "notes/seen.md")
        self.assertEqual(len(self.changes()), 4)
        (self.docs / ".gitignore").unlink()
        self.expect("added", "secret.md")
        self.expect("added", "secret/deep.md")
        self.write("docs/.gitignore", "notes\n")
        self.expect("removed", "notes/seen.md")
        self.expect("removed", "notes/plan.txt")
        self.stop()

    def test_a_named_file_and_a_named_folder_may_go_and_come_back(self):
        self.watch("docs/garden.md", "docs/notes")
        self.write("docs/other.md", "# Beside it\n")
        (self.docs / "garden.md").unlink()
        self.expect("removed", "garden.md")
        self.write("docs/garden.md", "# Garden\n")
        self.expect("added", "garden.md", 3)
        (self.docs / "notes").rename(self.folder / "elsewhere")
        self.see(lambda: b"docs/notes is not there any more" in self.err.data, "the warning")
        self.run_rag("search", *MODE, "deadline")
        (self.folder / "elsewhere/plan.txt").write_text("A walrus has tusks.\n")
        (self.folder / "elsewhere").rename(self.docs / "notes")
        self.expect("updated", "notes/plan.txt")
        self.child.terminate()
        self.assertEqual(self.child.wait(), 0)

    def test_a_bad_file_is_skipped_until_it_is_good(self):
        self.watch()
        self.write("docs/binary.md", b"\x00\x01\x02\x89PNG" * 50)
        self.expect("skipped", "binary.md")
        self.write("docs/binary.md", "# Better\n")
        self.expect("added", "binary.md")
        self.stop(signal.SIGTERM)

    def test_lines_are_for_people(self):
        child = self.start("watch", "docs", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out = Reader(child.stdout)
        wait_until(lambda: out.data.count(b"\n") == 3, "three lines")
        (self.docs / "garden.md").rename(self.docs / "zoo.md")
        wait_until(lambda: out.data.count(b"\n") == 4, "a line more")
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(), 0)
        lines = out.text().split("\n")
        self.assertRegex(lines[0], r"^added    docs/\S+  \(\d of \d chunks embedded\)$")
        self.assertEqual(lines[3], "renamed  docs/garden.md -> docs/zoo.md")

    def test_the_limit_of_the_system_is_told_by_its_name(self):
        self.write("docs/a/b/c.md", "# C\n")
        limited = "echo 2 >/proc/sys/user/max_inotify_watches && exec \"$@\""
        command = ["unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh"]
        if shutil.which("unshare") is None or subprocess.run(
                [*command, "true"], capture_output=True).returncode:
            self.skipTest("this machine makes no user namespaces")
        done = subprocess.run([*command, RAG, "watch", "docs"], cwd=self.folder, env=self.env,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("sysctl fs.inotify.max_user_watches=", done.stderr)
        self.assertFalse((self.folder / ".rag").exists())

    def test_a_path_that_is_not_there_is_told_and_leaves_nothing(self):
        self.assertIn("gone", self.run_rag("watch", "gone", "--index", "new.rag", status=3).err)
        self.assertFalse((self.folder / "new.rag").exists())


class Many(ManyFiles):
    def test_nothing_is_lost_when_it_is_killed_and_searched_at_once(self):
        child = self.start("watch", "docs", "--threads", "1", stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        out, err = Reader(child.stdout), Reader(child.stderr)
        wait_until(lambda: b"up to date" in err.data, "the first update")
        for i in range(20):
            self.write(f"docs/new/{i}.md", f"# New {i}\n\nwalrus {i}\n")
            self.run_rag("search", "--mode", "lexical", "tea")
        child.kill()
        child.wait()
        self.assertEqual(self.text("verify"), "ok\n")
        self.run_rag("index", "docs")
        self.assertEqual(self.documents(), self.FILES + 20)
        out.text()


if __name__ == "__main__":
    if sys.platform != "linux":
        raise SystemExit("rag watch is for Linux")
    main()
