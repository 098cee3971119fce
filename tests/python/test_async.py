"""The variants for asyncio: results, cancelling, and that nothing is left running."""

import asyncio
import threading
import time

from support import EMBEDDER, Case, Server, main

import rag


class Async(Case):
    def setUp(self):
        super().setUp()
        self.model = rag.Model(EMBEDDER)
        self.addCleanup(self.model.close)

    def slow_server(self):
        server = Server(pieces=["piece "] * 1000, pause=threading.Event())
        self.addCleanup(server.stop)
        return server

    def test_results_are_those_of_the_plain_calls(self):
        docs = self.write_files()

        async def run():
            async with rag.Index(self.folder / "i.rag", model=self.model) as index:
                report = await index.aadd(docs)
                hits = await index.asearch("tomatoes", k=2)
                answer = await index.aask("tomatoes", llm="none", min_evidence=0)
                problems = await index.averify()
                self.assertEqual([h.chunk_id for h in hits],
                                 [h.chunk_id for h in index.search("tomatoes", k=2)])
            vectors, scores = await asyncio.gather(
                self.model.aembed_lists(["a"]), self.model.arerank("a", ["b", "c"]))
            return report, answer, problems, vectors, scores, index

        report, answer, problems, vectors, scores, index = asyncio.run(run())
        self.assertEqual((report.added, problems), (3, []))
        self.assertIn("Tomatoes", answer.text)
        self.assertEqual(vectors, self.model.embed_lists(["a"]))
        self.assertEqual(scores, self.model.rerank("a", ["b", "c"]))
        with self.assertRaisesRegex(rag.UsageError, "closed"):
            index.search("a")

    def test_the_loop_goes_on_meanwhile(self):
        async def run():
            ticks = 0
            task = asyncio.ensure_future(self.model.aembed_lists(["some words here"] * 3000))
            while not task.done():
                await asyncio.sleep(0.001)
                ticks += 1
            return ticks, len(await task)

        ticks, count = asyncio.run(run())
        self.assertEqual(count, 3000)
        self.assertGreater(ticks, 3)

    def test_cancelling_a_task_stops_the_call(self):
        began = threading.Event()
        seen = []

        def progress(event):
            seen.append(event.done)
            began.set()
            time.sleep(0.01)

        async def run():
            task = asyncio.ensure_future(
                self.model.aembed_lists(["some words here"] * 20000, progress=progress))
            while not began.is_set():
                await asyncio.sleep(0.001)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            return len(seen)

        count = asyncio.run(run())
        time.sleep(0.1)
        self.assertEqual(len(seen), count, "the call went on after the task had ended")
        self.assertEqual(len(self.model.embed_lists(["a"])), 1)

    def test_a_timeout_stops_a_request(self):
        server = self.slow_server()

        async def run():
            async with server.chat() as chat:
                began = time.monotonic()
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(self._read_all(chat), 0.5)
                return time.monotonic() - began

        self.assertLess(asyncio.run(run()), 15)
        self.assert_no_threads_left()
        server.pause.set()
        self.assertTrue(server.cut.wait(10))

    async def _read_all(self, chat):
        async for _ in chat.astream("why"):
            pass

    def test_pieces_of_a_stream_and_its_answer(self):
        server = Server()
        self.addCleanup(server.stop)
        docs = self.write_files()

        async def run():
            async with server.chat() as chat:
                pieces = [piece async for piece in chat.astream("why")]
                whole = await chat.acomplete("why")
                async with rag.Index(self.folder / "i.rag", model=self.model) as index:
                    await index.aadd(docs)
                    stream = index.aask_stream("tomatoes", llm=chat, min_evidence=0)
                    text = "".join([piece async for piece in stream])
                    talk = rag.Conversation(index, chat, min_evidence=0)
                    await talk.aask("tomatoes")
                    return pieces, whole, text, stream.answer, talk.history

        pieces, whole, text, answer, history = asyncio.run(run())
        self.assertGreater(len(pieces), 1)
        self.assertEqual("".join(pieces), whole)
        self.assertEqual(text, answer.text)
        self.assertEqual([message.role for message in history], ["user", "assistant"])

    def test_leaving_a_stream_early_cancels_it(self):
        server = self.slow_server()

        async def run():
            async with server.chat() as chat:
                async with chat.astream("why") as stream:
                    async for piece in stream:
                        self.assertEqual(piece, "piece ")
                        break
                self.assert_no_threads_left(1)

        asyncio.run(run())
        server.pause.set()
        self.assertTrue(server.cut.wait(10))

    def test_errors_come_out_of_the_task(self):
        server = Server(refusal=401)
        self.addCleanup(server.stop)

        async def run():
            async with server.chat() as chat:
                with self.assertRaises(rag.AuthError):
                    await chat.acomplete("why")
                with self.assertRaises(rag.AuthError):
                    async for _ in chat.astream("why"):
                        pass

        asyncio.run(run())


if __name__ == "__main__":
    main()
