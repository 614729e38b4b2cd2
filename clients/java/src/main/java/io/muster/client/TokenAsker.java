package io.muster.client;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;

/** Asks a token source on a thread of its own, never twice at once: a source that hangs holds one thread and not one more for each question. */
final class TokenAsker {
    private final ExecutorService executor;

    TokenAsker(String terminal) {
        executor = new ThreadPoolExecutor(0, 1, 10, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
            Thread thread = new Thread(task, "muster-token-" + terminal);
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Has the answer called with a token, or else with what went wrong. */
    void ask(TokenSource source, BiConsumer<Token, String> answer) {
        try {
            executor.execute(() -> answer(source, answer));
        } catch (RejectedExecutionException busy) {
            answer.accept(null, "the token source has not answered an earlier question");
        }
    }

    void close() {
        executor.shutdownNow();
    }

    private static void answer(TokenSource source, BiConsumer<Token, String> answer) {
        Token token = null;
        String problem = null;
        try {
            token = Token.of(source.token());
        } catch (Exception | LinkageError error) {
            problem = "the token source failed: " + error.getMessage();
        }
        answer.accept(token, problem);
    }
}
