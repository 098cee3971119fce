#!/usr/bin/env python3
"""Models: installing from a folder and from a hub, listing, showing."""
import pathlib
import shutil
import sys

from support import Case, DATA, EMBEDDER, HERE, main, server


class Model(Case):
    def hub(self):
        shutil.copytree(EMBEDDER, self.folder / "hub/test/embedder")
        port = server(sys.executable, HERE.parent / "model/hub_server.py", self.folder / "hub")
        return f"http://127.0.0.1:{port}"

    def test_with_no_model_the_list_says_how_to_get_one(self):
        done = self.run_rag("model", "list", status=1)
        self.assertEqual(done.stdout, b"")
        self.assertIn("rag model pull intfloat/multilingual-e5-small", done.err)

    def test_a_folder_is_added_under_a_name(self):
        self.run_rag("model", "add", EMBEDDER, "--name", "test/embedder")
        folder = self.folder / "models/test/embedder"
        listed = self.objects("model", "list", "--json")
        self.assertEqual([list(model) for model in listed], [["name", "folder", "bytes"]])
        self.assertEqual((listed[0]["name"], listed[0]["folder"]), ("test/embedder", str(folder)))
        self.assertGreater(listed[0]["bytes"], 100000)
        self.assertIn("test/embedder", self.text("model", "list"))
        for name in ("test/embedder", "embedder"):
            info, = self.objects("model", "info", name, "--json")
            self.assertEqual((info["name"], info["dimension"], info["heads"]),
                             ("test/embedder", 32, ["dense", "sparse", "multi"]))
            self.assertEqual(len(info["identity"]), 64)
            self.assertIn(info["identity"], self.text("model", "info", name))
        self.assertEqual(self.run_rag("embed", "--model", "test/embedder", stdin="tea").stdout,
                         self.run_rag("embed", "--model", EMBEDDER, stdin="tea").stdout)

    def test_no_name_means_the_default_model(self):
        self.assertIn("bge-m3-like", self.text("model", "info"))
        said = self.run_rag("model", "info", status=5, RAG_MODEL="").err
        self.assertIn("rag model pull intfloat/multilingual-e5-small", said)

    def test_what_is_no_model_is_refused(self):
        self.write("empty/readme.txt", "nothing")
        self.assertIn("config.json", self.run_rag("model", "add", "empty", status=5).err)
        self.assertIn("gone", self.run_rag("model", "add", "gone", status=5).err)
        shutil.copytree(DATA / "xlmr-reranker", self.folder / "cut")
        weights = self.folder / "cut/model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        self.assertIn("model.safetensors",
                      self.run_rag("model", "add", "cut", "--name", "test/cut", status=5).err)
        self.run_rag("model", "list", status=1)

    def test_a_hub_s_model_is_pulled_and_works(self):
        hub = self.hub()
        done = self.run_rag("model", "pull", "test/embedder", "--hub", f"{hub}/plain")
        self.assertEqual(done.stdout, b"")
        self.assertEqual(self.run_rag("embed", "--model", "test/embedder", stdin="tea").stdout,
                         self.run_rag("embed", "--model", EMBEDDER, stdin="tea").stdout)

    def test_the_hub_may_come_from_the_environment(self):
        self.run_rag("model", "pull", "test/embedder", HF_ENDPOINT=f"{self.hub()}/private",
                     HF_TOKEN="secret")
        self.assertEqual(self.objects("model", "list", "--json")[0]["name"], "test/embedder")

    def test_a_packed_model_is_listed_checked_and_mended(self):
        cache = self.folder / "cache"
        run = {"RAG_CACHE": str(cache), "RAG_PRECISION": "f32"}
        self.run_rag("model", "add", EMBEDDER, "--name", "test/embedder")
        info = lambda: self.objects("model", "info", "test/embedder", "--json", **run)[0]["packed"]
        tokens = lambda: self.run_rag("tokenize", "--model", "test/embedder", stdin="tea",
                                      **run).stdout
        expected = tokens()
        self.assertEqual(info(), [])  # too small to be packed by itself
        done = self.run_rag("model", "pack", "test/embedder", **run)
        self.assertEqual(done.stdout, b"")
        file, = info()
        path = pathlib.Path(file["path"])
        self.assertEqual((file["variant"], file["problem"], file["bytes"]),
                         ("tokenizer-1", None, path.stat().st_size))
        self.assertIn(cache, path.parents)
        self.assertIn(f"packed        tokenizer-1, ", self.text("model", "info", "test/embedder",
                                                                **run))
        self.assertEqual(self.text("model", "verify", "test/embedder", **run), f"whole    {path}\n")
        self.assertEqual(tokens(), expected)

        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 1
        path.write_bytes(damaged)
        done = self.run_rag("model", "verify", "test/embedder", status=5, **run)
        self.assertEqual(done.stdout.decode(), f"damaged  {path}\n")
        self.assertIn("rag model pack", done.err)
        self.assertEqual(tokens(), expected)
        self.run_rag("model", "pack", "test/embedder", **run)
        self.assertEqual(path.read_bytes(), whole)

        path.write_bytes(whole[:1000])
        file, = self.objects("model", "verify", "test/embedder", "--json", status=5, **run)
        self.assertEqual(file["variant"], None)
        self.assertIn("damaged", file["problem"])

        self.run_rag("model", "pack", "test/embedder", "--precision", "int8", **run)
        tokenizer, weights = info()
        self.assertEqual(tokenizer["path"], str(path))
        self.assertIn("int8", weights["variant"])
        self.assertGreater(weights["bytes"], 1000)
        self.assertIsNone(weights["problem"])
        model, = self.objects("model", "info", "test/embedder", "--json", "--precision", "int8",
                              **run)
        self.assertEqual(model["precision"], "int8")
        self.assertGreater(model["agreement"], 0.9)
        # What opening does not look at is mended too.
        stored = pathlib.Path(weights["path"])
        whole = stored.read_bytes()
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 0x40
        stored.write_bytes(damaged)
        self.run_rag("model", "verify", "test/embedder", status=5, **run)
        self.run_rag("model", "pack", "test/embedder", "--precision", "int8", **run)
        self.assertEqual(stored.read_bytes(), whole)

        blocked = self.write("a-file", "")
        done = self.run_rag("model", "pack", "test/embedder", status=3, RAG_CACHE=str(blocked))
        self.assertIn("a-file", done.err)
        self.run_rag("model", "pack", "none/such", status=5, **run)

    def test_a_broken_download_goes_on_where_it_stopped(self):
        hub = self.hub()
        self.run_rag("model", "pull", "test/embedder", "--hub", f"{hub}/dead", status=6)
        self.run_rag("model", "list", status=1)
        self.run_rag("model", "pull", "test/embedder", "--hub", f"{hub}/plain")
        self.run_rag("model", "info", "test/embedder")

    def test_a_hub_that_fails_is_told(self):
        hub = self.hub()
        for mode, status, said in (("missing", 5, "test/embedder"),
                                   ("private", 6, "test/embedder"), ("damaged", 6, "SHA-256")):
            done = self.run_rag("model", "pull", "test/embedder", "--hub", f"{hub}/{mode}",
                                status=status)
            self.assertIn(said, done.err)
            self.assertEqual(done.stdout, b"")
        done = self.run_rag("model", "pull", "test/embedder", "--hub", "http://127.0.0.1:1",
                            status=6)
        self.assertIn("127.0.0.1", done.err)
        self.run_rag("model", "pull", "../evil", "--hub", hub, status=2)


if __name__ == "__main__":
    main()
