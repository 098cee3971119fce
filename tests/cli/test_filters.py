#!/usr/bin/env python3
"""Collections and filters: what is searched, listed and taken out, and what is told of it."""
import os

from support import Case, main


class Collections(Case):
    def setUp(self):
        super().setUp()
        self.docs = self.write_documents()
        self.run_rag("index", "docs")
        self.run_rag("index", "docs/garden.md", "--collection", "beds")

    def found(self, *options, status=0):
        hits = self.objects("search", "tomatoes deadline 预热", "--mode", "lexical", "--json",
                            *options, status=status)
        return sorted({(hit["collection"], os.path.basename(hit["document"])) for hit in hits})

    def test_each_collection_is_counted_and_searched_by_itself(self):
        info, = self.objects("info", "--json")
        self.assertEqual([(c["name"], c["documents"]) for c in info["collections"]],
                         [("beds", 1), ("default", 3)])
        self.assertIn("collection beds: 1 documents", self.text("info"))
        self.assertEqual(self.found("--collection", "beds"), [("beds", "garden.md")])
        self.assertEqual({name for name, _ in self.found()}, {"beds", "default"})

    def test_a_whole_collection_is_taken_out(self):
        self.run_rag("remove", status=2)
        self.assertIn("1 removed", self.text("remove", "--collection", "beds"))
        self.run_rag("remove", "--collection", "beds", status=1)
        info, = self.objects("info", "--json")
        self.assertEqual([c["name"] for c in info["collections"]], ["default"])
        self.run_rag("verify")

    def test_a_filter_chooses_by_path_type_and_date(self):
        self.assertEqual(self.found("--path", "notes/*"), [("default", "plan.txt")])
        self.assertEqual(self.found("--path", "notes/*", "--path", "厨*"),
                         [("default", "plan.txt"), ("default", "厨房.md")])
        self.assertEqual(self.found("--type", "text"), [("default", "plan.txt")])
        old = 1000000000
        os.utime(self.docs / "garden.md", (old, old))
        self.run_rag("index", "docs")
        self.assertEqual(self.found("--until", "2001-09-09"), [("default", "garden.md")])
        self.assertEqual(self.found("--until", "2001-09-08", status=1), [])
        self.assertNotIn(("default", "garden.md"), self.found("--since", "2001-09-10"))
        self.assertIn(("default", "plan.txt"), self.found("--since", "1d"))

    def test_a_wrong_filter_is_told(self):
        for option, value, says in (("--path", "[a", "\"[a\""), ("--since", "soon", "no date"),
                                    ("--where", "year", "no condition"),
                                    ("--collection", "a\tb", "collection")):
            done = self.run_rag("search", "x", option, value, status=2)
            self.assertIn(says, done.err)
            self.assertEqual(done.stdout, b"")

    def test_answers_are_from_what_the_filter_leaves(self):
        answer, = self.objects("ask", "tomatoes", "--mode", "lexical", "--json", "--path",
                               "garden.md", "--min-evidence", "0")
        self.assertTrue(answer["hits"])
        for hit in answer["hits"]:
            self.assertTrue(hit["document"].endswith("/garden.md"))


class Metadata(Case):
    PAGE = "---\ntitle: Beds\ntags: [garden, spring]\nyear: 2023\n---\n# Beds\n\nTomatoes.\n"

    def setUp(self):
        super().setUp()
        self.write("docs/a.md", self.PAGE)
        self.write("docs/b.txt", "Tomatoes and deadlines.\n")

    def found(self, *where):
        options = [option for condition in where for option in ("--where", condition)]
        hits = self.objects("search", "tomatoes", "--json", "--mode", "lexical", *options)
        return {os.path.basename(hit["document"]): hit["metadata"] for hit in hits}

    def test_front_matter_and_meta_are_kept_and_searched_by(self):
        self.run_rag("index", "docs", "--meta", "year=2024", "--meta", "place=here")
        page = {"title": "Beds", "tags": ["garden", "spring"], "year": 2024, "place": "here"}
        self.assertEqual(self.found("tags=spring"), {"a.md": page})
        self.assertEqual(self.found("year>2023", "tags!=spring"),
                         {"b.txt": {"year": 2024, "place": "here"}})
        self.run_rag("verify")

    def test_new_metadata_alone_are_not_embedded(self):
        self.run_rag("index", "docs")
        self.assertEqual(self.found("year=2023")["a.md"]["title"], "Beds")
        report, = self.objects("index", "docs", "--meta", "year=2025", "--json")
        self.assertEqual((report["updated"], report["unchanged"], report["chunks_embedded"],
                          report["tokens"]), (2, 0, 0, 0))
        self.assertEqual(set(self.found("year=2025")), {"a.md", "b.txt"})
        report, = self.objects("index", "docs", "--meta", "year=2025", "--json")
        self.assertEqual((report["updated"], report["unchanged"]), (0, 2))
        report, = self.objects("index", "docs", "--json")  # what was given stays
        self.assertEqual((report["updated"], report["unchanged"]), (0, 2))
        self.assertEqual(set(self.found("year=2025")), {"a.md", "b.txt"})
        (self.folder / "docs/a.md").rename(self.folder / "docs/c.md")
        report, = self.objects("index", "docs", "--meta", "year=2026", "--json")
        self.assertEqual((report["renamed"], report["updated"]), (1, 2))
        self.assertEqual(set(self.found("year=2026")), {"b.txt", "c.md"})
        self.run_rag("verify")

    def test_a_dry_run_changes_no_metadata(self):
        self.run_rag("index", "docs")
        said, = self.objects("index", "docs", "--meta", "year=2025", "--dry-run", "--json")
        self.assertEqual([change["reason"] for change in said["changes"]],
                         ["its metadata have changed"] * 2)
        self.assertEqual(set(self.found("year=2023")), {"a.md"})

    def test_metadata_that_are_none_are_told(self):
        for wrong in ("year", "=1", "\xff=1"):
            done = self.run_rag("index", "docs", "--meta", wrong.encode("latin-1"), status=2)
            self.assertIn("KEY=VALUE", done.err)
        self.assertFalse((self.folder / ".rag").exists())


if __name__ == "__main__":
    main()
