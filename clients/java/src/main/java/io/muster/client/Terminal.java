package io.muster.client;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * A terminal that is connected or about to reconnect. Its methods may be called on any thread.
 *
 * <p>What is sent waits while the terminal is offline. When 256 messages wait, sending anything but a result fails with a
 * {@link SendException}. A message that was taken may be lost if the connection breaks, unless it is a result: the last 256
 * results are sent again at the start of each session.
 */
public final class Terminal implements AutoCloseable {
    /** How many messages may wait to be written. */
    private static final int QUEUE = 256;

    private final Semaphore room = new Semaphore(QUEUE);
    private final TerminalState state;
    private final TerminalLoop loop;

    private Terminal(Settings settings, Program program) throws IOException {
        settings.check();
        RandomGenerator random = RandomGeneratorFactory.getDefault().create();
        SeenCommands seen = new SeenCommands(settings.remember(), settings.memory());
        state = new TerminalState(settings, new Reports(program), seen, random, this::send);
        loop = new TerminalLoop(state, new Backoff(settings.policy(), random));
    }

    /**
     * Starts a thread that connects and reconnects, and reports to the program. Fails with an
     * {@link IllegalArgumentException} if the settings can't be used, and with an {@link IOException} if the memory file can't
     * be read or written.
     */
    public static Terminal start(Settings settings, Program program) throws IOException {
        Terminal terminal = new Terminal(settings, program);
        terminal.loop.start();
        return terminal;
    }

    /** Sends an event: something that happened, published to operators. Name and payload have at most 8 KiB together. */
    public void event(String name, Payload payload) {
        send(Outgoing.event(null, name, payload));
    }

    /**
     * Sends an event with an id of 1 to 64 bytes. The node confirms it once it is stored: {@link Program#onEventStored}. Until
     * then it may be lost, so send it again in the next session, with the same id.
     */
    public void event(String id, String name, Payload payload) {
        send(Outgoing.event(id, name, payload));
    }

    /** Reports how the terminal judges itself; at most 64 metrics, which replace those before. */
    public void health(Condition condition, Map<String, ? extends Number> metrics) {
        send(Outgoing.health(condition, metrics));
    }

    /** Waits until the terminal is gone: it was closed, or told to stay away. */
    public void join() throws InterruptedException {
        loop.join();
    }

    /** Whether the terminal is gone. */
    public boolean isGone() {
        return loop.isOver();
    }

    /**
     * Sends what waits, closes the connection with 1000 and does not reconnect. Returns when the connection is gone, or at once
     * when it is called by the program's own methods.
     */
    @Override
    public void close() {
        loop.leave();
    }

    private void send(Outgoing outgoing) {
        int limit = state.limit.get();
        if (outgoing.bytes() <= limit) {
            queue(outgoing);
            return;
        }
        Outgoing replacement = outgoing.replacement(limit);
        if (replacement != null) {
            queue(replacement);
        }
        throw SendException.tooLarge(outgoing.bytes(), limit);
    }

    private void queue(Outgoing outgoing) {
        // A command has one result, so results are no more than the commands that the program holds; none is refused.
        boolean takesRoom = outgoing.resultOf() == null;
        if (takesRoom && !room.tryAcquire()) {
            throw SendException.queueFull(QUEUE);
        }
        Runnable taken = takesRoom ? room::release : () -> { };
        if (!loop.send(outgoing, taken)) {
            taken.run();
            throw SendException.gone();
        }
    }
}
