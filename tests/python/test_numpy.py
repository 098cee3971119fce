"""numpy arrays: results without copies, inputs without copies. Needs numpy."""

import asyncio
import gc

import numpy
from support import EMBEDDER, Case, main

import rag
from rag._arguments import Floats


class Arrays(Case):
    def setUp(self):
        super().setUp()
        self.model = rag.Model(EMBEDDER)
        self.addCleanup(self.model.close)

    def test_vectors_are_a_read_only_view_of_the_librarys_memory(self):
        vectors = self.model.embed(["one", "two", "three"])
        self.assertEqual((vectors.shape, vectors.dtype), ((3, 32), numpy.float32))
        self.assertFalse(vectors.flags.writeable or vectors.flags.owndata)
        self.assertTrue(vectors.flags.c_contiguous)
        with self.assertRaises(ValueError):
            vectors[0, 0] = 1
        self.assertEqual(vectors.tolist(), self.model.embed_lists(["one", "two", "three"]))
        numpy.testing.assert_allclose((vectors**2).sum(axis=1), 1, rtol=1e-5)

    def test_no_texts_are_an_array_of_no_rows(self):
        self.assertEqual(self.model.embed([]).shape, (0, 32))

    def test_a_part_of_an_array_keeps_the_memory_alive(self):
        model = rag.Model(EMBEDDER)
        row = model.embed(["kept"] * 100)[50]
        wanted = row.copy()
        model.close()
        del model
        gc.collect()
        for _ in range(20):
            self.model.embed(["other"] * 100)
        numpy.testing.assert_array_equal(row, wanted)

    def test_views_of_all_heads_are_taken_without_a_copy(self):
        one, = self.model.embed_all(["a text"], heads=("dense", "multi"))
        for view in (one.dense, one.multi):
            array = numpy.asarray(view)
            self.assertEqual(array.dtype, numpy.float32)
            self.assertEqual(array.shape, view.shape)
            self.assertFalse(array.flags.owndata)

    def test_the_task_gives_the_same_array(self):
        numpy.testing.assert_array_equal(asyncio.run(self.model.aembed(["a"])),
                                         self.model.embed(["a"]))

    def test_arrays_of_the_librarys_kind_are_used_where_they_lie(self):
        array = numpy.ones((3, 4), dtype=numpy.float32)
        for given in (array, memoryview(array)):
            floats = Floats(given, "vectors")
            self.assertEqual(floats.address, array.ctypes.data)
            self.assertEqual((floats.rows, floats.columns), (3, 4))
        array.flags.writeable = False
        self.assertEqual(Floats(array, "vectors").address, array.ctypes.data)
        for other in (array.astype(numpy.float64), array.T):
            self.assertNotEqual(Floats(other, "vectors").address, other.ctypes.data)
        with self.assertRaises(rag.InputError):
            Floats(numpy.ones((1, 2, 3)), "vectors")


class Nearest(Case):
    def test_it_finds_what_a_scan_by_numpy_finds(self):
        generator = numpy.random.default_rng(4)
        vectors = generator.standard_normal((500, 24)).astype(numpy.float32)
        query = generator.standard_normal(24).astype(numpy.float32)
        cosines = vectors @ query / numpy.linalg.norm(vectors, axis=1) / numpy.linalg.norm(query)
        wanted = numpy.argsort(-cosines, kind="stable")[:7]
        for given in ((vectors, query), (vectors.tolist(), query.tolist()),
                      (vectors.astype(numpy.float64), query.astype(numpy.float64)),
                      (memoryview(vectors), memoryview(query))):
            found = rag.nearest(*given, 7)
            self.assertEqual([position for position, _ in found], wanted.tolist())
            numpy.testing.assert_allclose([c for _, c in found], cosines[wanted], atol=1e-5)


if __name__ == "__main__":
    main()
