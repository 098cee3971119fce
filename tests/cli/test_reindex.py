#!/usr/bin/env python3
"""rag reindex: what it prints and does."""
import shutil

from support import Case, EMBEDDER, main


class Reindex(Case):
    def setUp(self):
        super().setUp()
        self.docs = self.write_documents()
        self.objects("index", "docs", "--json")

    def info(self):
        return self.objects("info", "--json")[0]

    def test_another_chunker_by_the_stored_texts(self):
        shutil.rmtree(self.docs)
        done, = self.objects("reindex", "--chunker", "window", "--max-tokens", "16",
                             "--overlap", "4", "--json")
        self.assertTrue(done["switched"])
        self.assertEqual((done["documents"], done["chunker"], done["max_tokens"],
                          done["overlap"]), (3, "window", 16, 4))
        self.assertEqual(self.info()["chunks"], done["chunks"])
        self.assertEqual(self.text("verify"), "ok\n")
        self.run_rag("search", "tomatoes")
        self.assertEqual(self.info()["documents"], 3)
        self.assertIn("there is nothing to do", self.text("reindex"))
        self.assertIn("3 documents re-indexed, 0 of them before", self.text("reindex",
                                                                            "--max-tokens", "20"))
        self.assertEqual((self.info()["max_tokens"], self.info()["overlap"]), (20, 4))

    def test_another_model_is_kept_in_mind(self):
        shutil.copytree(EMBEDDER, self.folder / "other")
        config = self.folder / "other/sentence_bert_config.json"
        config.write_text(config.read_text().replace("130", "100"))
        self.run_rag("reindex", "--model", "./other")
        self.assertEqual(self.info()["model"], str(self.folder / "other"))
        self.run_rag("search", "tomatoes", RAG_MODEL=self.folder / "other")
        self.run_rag("search", "tomatoes", status=0)
        self.assertEqual(self.text("verify"), "ok\n")

    def test_what_is_missing_is_told(self):
        said = self.run_rag("reindex", "--index", "no.rag", status=4).err
        self.assertIn("rag index PATH", said)
        self.assertIn("rag model pull BAAI/bge-m3",
                      self.run_rag("reindex", "--model", "BAAI/bge-m3", status=5).err)
        self.assertFalse((self.folder / ".rag/index.rag-next").exists())


if __name__ == "__main__":
    main()
