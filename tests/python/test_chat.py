"""Chat, streams and answers of a language model, against a server of OpenAI's protocol."""

import gc
import threading
import time

from support import EMBEDDER, Case, Server, main

import rag


class Chats(Case):
    def server(self, **options):
        server = Server(**options)
        self.addCleanup(server.stop)
        return server

    def test_a_conversation_goes_out_and_the_answer_comes_back(self):
        server = self.server()
        with server.chat() as chat:
            given = [rag.Message("system", "Be brief."), {"role": "user", "content": "你?"},
                     ("assistant", "me"), ("user", "why")]
            self.assertEqual(chat.complete(given, max_tokens=7, temperature=0.5),
                             "The answer 是 [1].")
            asked, = server.asked
            self.assertEqual([m["content"] for m in asked["messages"]],
                             ["Be brief.", "你?", "me", "why"])
            self.assertEqual([m["role"] for m in asked["messages"]],
                             ["system", "user", "assistant", "user"])
            self.assertEqual(asked["temperature"], 0.5)
            self.assertEqual(chat.info.provider, "openai")
            self.assertEqual(chat.info.model, "test-model")

    def test_pieces_come_one_by_one_and_together_are_the_answer(self):
        pause = threading.Event()
        server = self.server(pause=pause)
        with server.chat() as chat, chat.stream("why") as stream:
            self.assertEqual(server.asked, [], "sent before it was read")
            self.assertEqual(next(stream), "The ")
            self.assertFalse(pause.is_set())
            pause.set()
            self.assertEqual("".join(stream), "answer 是 [1].")
            self.assertEqual(list(stream), [])
        self.assert_no_threads_left()

    def test_usage_is_counted_of_the_last_and_of_all(self):
        with self.server().chat() as chat:
            chat.complete("one")
            "".join(chat.stream("two"))
            self.assertEqual(chat.usage.requests, 2)
            self.assertEqual((chat.usage.input_tokens, chat.usage.output_tokens), (14, 4))
            self.assertEqual(chat.last_usage.input_tokens, 7)
            self.assertFalse(chat.usage.estimated)
            self.assertIsNotNone(chat.last_usage.first_token_seconds)

    def test_closing_a_stream_cancels_its_request(self):
        server = self.server(pieces=["piece "] * 1000, pause=threading.Event())
        with server.chat() as chat:
            stream = chat.stream("why")
            self.assertEqual(next(stream), "piece ")
            began = time.monotonic()
            stream.close()
            self.assertLess(time.monotonic() - began, 10)
            self.assert_no_threads_left(0)
            server.pause.set()
            self.assertTrue(server.cut.wait(10), "the connection is still open")

    def test_a_stream_that_nobody_holds_is_cancelled(self):
        server = self.server(pieces=["piece "] * 1000, pause=threading.Event())
        with server.chat() as chat:
            for piece in chat.stream("why"):
                break
            gc.collect()
            self.assert_no_threads_left()

    def test_what_goes_wrong_in_a_stream_is_raised_where_it_is_read(self):
        with self.server(refusal=401).chat() as chat, self.assertRaises(rag.AuthError):
            list(chat.stream("why"))
        with self.server(refusal=429).chat() as chat, self.assertRaises(rag.LimitError):
            chat.complete("why", retries=0)
        self.assert_no_threads_left()

    def test_what_on_text_raises_comes_out_of_the_call(self):
        def on_text(piece):
            raise ZeroDivisionError(piece)

        index = self.open_index()
        index.add(self.write_files())
        with self.server().chat() as chat:
            with self.assertRaisesRegex(ZeroDivisionError, "The "):
                index.ask("tomatoes", llm=chat, on_text=on_text, min_evidence=0)

    def test_threads_take_turns_and_a_callback_cannot_ask_its_own_chat(self):
        with self.server().chat() as chat:
            found = []
            threads = [threading.Thread(target=lambda: found.append(chat.complete("why")))
                       for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(found, ["The answer 是 [1]."] * 4)
            with self.assertRaisesRegex(rag.UsageError, "in use"):
                chat.complete("why", progress=lambda event: chat.complete("again"))

    def test_bad_arguments_are_told_and_a_closed_chat_too(self):
        chat = self.server().chat()
        for options in ({"temperature": -1}, {"max_tokens": 0}, {"max_tokens": 2**32 + 1}, {"idle_timeout": 0},
                        {"retries": -1}):
            with self.assertRaises(rag.UsageError):
                chat.complete("why", **options)
        with self.assertRaises(rag.UsageError):
            chat.complete([("boss", "why")])
        with self.assertRaises(rag.InputError):
            chat.complete("\ud800")
        chat.close()
        with self.assertRaisesRegex(rag.UsageError, "this Chat is closed"):
            chat.complete("why")
        with self.assertRaises(rag.UsageError):
            list(chat.stream("why"))

    def test_providers_are_listed_and_a_missing_key_is_told_at_once(self):
        known = {provider.name: provider for provider in rag.providers("")}
        self.assertIn("gemini", known)
        self.assertEqual(known["openai"].key_variable, "OPENAI_API_KEY")
        self.assertFalse(known["openai"].ready)
        with self.assertRaisesRegex(rag.AuthError, "OPENAI_API_KEY"):
            rag.Chat("openai:gpt-4o-mini")
        with self.assertRaises(rag.UsageError):
            rag.Chat("nobody:model")


class Answers(Case):
    def setUp(self):
        super().setUp()
        self.index = self.open_index(model=EMBEDDER)
        self.index.add(self.write_files())
        self.server = Server()
        self.addCleanup(self.server.stop)

    def test_a_language_models_answer_cites_its_passages(self):
        with self.server.chat() as chat:
            answer = self.index.ask("When are tomatoes planted?", llm=chat, min_evidence=0, k=2)
        self.assertEqual(str(answer), "The answer 是 [1].")
        self.assertEqual(answer.llm, "openai:test-model")
        citation, = answer.citations
        hit = answer.hits[citation.hit]
        self.assertEqual(citation.document, hit.document)
        self.assertIn(citation.quote, hit.text)
        self.assertLessEqual(len(answer.hits), 2)
        self.assertEqual(answer.usage.requests, 1)

    def test_without_a_language_model_passages_are_quoted(self):
        answer = self.index.ask("tomatoes", llm="none", min_evidence=0)
        self.assertEqual(answer.llm, "")
        self.assertTrue(answer.found and answer.citations)
        self.assertIn("Tomatoes", answer.text)

    def test_a_stream_ends_with_the_whole_answer(self):
        with self.server.chat() as chat:
            stream = self.index.ask_stream("tomatoes", llm=chat, min_evidence=0)
            with self.assertRaisesRegex(rag.UsageError, "read to the end"):
                stream.answer
            self.assertEqual("".join(stream), stream.answer.text)
            self.assertEqual(len(stream.answer.citations), 1)

    def test_a_conversation_keeps_its_history_and_the_callers(self):
        with self.server.chat() as chat:
            talk = rag.Conversation(self.index, chat, min_evidence=0)
            talk.ask("When are tomatoes planted?")
            self.assertEqual([m.role for m in talk.history], ["user", "assistant"])
            "".join(talk.ask_stream("And cucumbers?"))
            self.assertEqual(len(talk.history), 4)
            # The first question, the second one's rewriting, and its answer.
            self.assertEqual(len(self.server.asked), 3)
            self.assertIn("When are tomatoes planted?", str(self.server.asked[1]))
            path = self.folder / "talk.md"
            talk.save(path)
            text = path.read_text(encoding="utf-8")
            self.assertIn("## When are tomatoes planted?\n\nThe answer 是 [1].\n\n- [1] ", text)
            self.assertIn("## And cucumbers?", text)
            talk.reset()
            self.assertEqual(talk.history, [])
        given = [rag.Message("user", "a"), rag.Message("assistant", "b")]
        kept = list(given)
        self.index.ask("tomatoes", llm="none", history=given, min_evidence=0)
        self.assertEqual(given, kept)

    def test_a_question_that_failed_is_not_kept(self):
        self.server.refusal = 401
        with self.server.chat() as chat:
            talk = rag.Conversation(self.index, chat, min_evidence=0)
            with self.assertRaises(rag.AuthError):
                talk.ask("When?")
            with self.assertRaises(rag.AuthError):
                list(talk.ask_stream("When?"))
            self.assertEqual(talk.history, [])


if __name__ == "__main__":
    main()
