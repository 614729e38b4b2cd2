package io.muster.client;

import io.muster.client.transport.Dialer;
import io.muster.client.transport.Line;
import io.muster.client.transport.LineListener;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The thread of a terminal: it tells the connector what happened, one thing at a time, and wakes it in time. A thread that
 * reads from the network waits until its message has been dealt with, so nothing is read that the program has no time for.
 */
final class TerminalLoop implements World {
    /** The longest time without a look at the connector: some clocks stand still while a machine sleeps. */
    private static final long LONGEST_NAP = TimeUnit.MINUTES.toNanos(1);

    private final TerminalState state;
    private final Connector connector;
    private final Dialer dialer;
    private final TokenAsker asker;
    private final Thread thread;
    /** What happened. Bounded: each reading thread waits for its own, and the program's messages are counted. */
    private final LinkedBlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
    private boolean isOver;

    TerminalLoop(TerminalState state, Backoff backoff) {
        this.state = state;
        dialer = state.settings.dialer();
        connector = new Connector(state, this, backoff);
        asker = new TokenAsker(state.settings.terminal());
        thread = new Thread(this::run, "muster-terminal-" + state.settings.terminal());
    }

    void start() {
        thread.start();
    }

    void join() throws InterruptedException {
        thread.join();
    }

    synchronized boolean isOver() {
        return isOver;
    }

    /** Has a message sent; {@code taken} is called when it has gone out or is given up. Returns false if the terminal is gone. */
    boolean send(Outgoing outgoing, Runnable taken) {
        return post(() -> connector.send(outgoing, taken, System.nanoTime()));
    }

    /** Has the terminal leave, and waits until it has; not on its own thread. */
    void leave() {
        post(() -> connector.leave(System.nanoTime()));
        if (Thread.currentThread() == thread) {
            return;
        }
        try {
            thread.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public Line dial(int attempt, int url, Token token) {
        Map<String, String> headers = new HashMap<>();
        if (token != null) {
            headers.put("Authorization", "Bearer " + token.reveal());
        }
        Dialer.Request request = new Dialer.Request(
                state.settings.urls().get(url), headers, Session.PROTOCOL, state.settings.policy().deadline());
        return dialer.dial(request, new Posting(attempt));
    }

    @Override
    public void ask(int question, TokenSource source) {
        asker.ask(source, (token, problem) -> post(() -> connector.onToken(question, token, problem, System.nanoTime())));
    }

    private void run() {
        try {
            serve();
        } finally {
            end();
        }
    }

    private void serve() {
        connector.attempt(System.nanoTime());
        while (!connector.isGone()) {
            try {
                long wait = Math.min(connector.untilWake(System.nanoTime()), LONGEST_NAP);
                Runnable task = tasks.poll(wait, TimeUnit.NANOSECONDS);
                if (task != null) {
                    task.run();
                }
            } catch (InterruptedException someoneElses) {
                // Nobody who knows this thread ends it so: close() does.
            }
            connector.wake(System.nanoTime());
        }
    }

    private void end() {
        Deque<Runnable> left = new ArrayDeque<>();
        synchronized (this) {
            isOver = true;
            tasks.drainTo(left);
        }
        // Whoever waits for one goes on: the connector does nothing any more.
        left.forEach(Runnable::run);
        asker.close();
        state.seen.close();
    }

    private synchronized boolean post(Runnable task) {
        return !isOver && tasks.add(task);
    }

    /** Posts what a line reports, and waits. */
    private final class Posting implements LineListener {
        private final int attempt;

        Posting(int attempt) {
            this.attempt = attempt;
        }

        @Override
        public void onOpen(String protocol) {
            post(() -> connector.onOpen(attempt, protocol, System.nanoTime()));
        }

        @Override
        public void onText(String text) {
            await(() -> connector.onText(attempt, text, System.nanoTime()));
        }

        @Override
        public void onSign() {
            await(() -> connector.onSign(attempt, System.nanoTime()));
        }

        @Override
        public void onClose(int code, String reason) {
            // Nothing follows that would have to wait; and a library that calls this while it holds a lock must get on.
            post(() -> connector.onClose(attempt, code, reason, System.nanoTime()));
        }

        @Override
        public void onRefused(int status, Duration retryAfter) {
            post(() -> connector.onEnd(attempt, ConnectionEnd.refused(status, retryAfter), System.nanoTime()));
        }

        @Override
        public void onLost(String cause) {
            ConnectionEnd end = ConnectionEnd.of(ConnectionEnd.Kind.LOST, cause);
            post(() -> connector.onEnd(attempt, end, System.nanoTime()));
        }

        private void await(Runnable task) {
            FutureTask<Void> done = new FutureTask<>(task, null);
            if (!post(done)) {
                return;
            }
            try {
                done.get();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            } catch (ExecutionException failed) {
                throw new IllegalStateException("the terminal failed", failed.getCause());
            }
        }
    }
}
