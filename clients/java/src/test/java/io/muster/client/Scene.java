package io.muster.client;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muster.client.transport.Line;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.UUID;

/** A connector in a world where nothing happens but what the test says, at the time that the test says. */
final class Scene implements World, Program {
    /** The node's time at the first welcome: far from this machine's. */
    static final Instant NODE_TIME = Instant.parse("2030-01-01T00:00:00Z");

    final Settings settings;
    final SeenCommands seen;
    final Connector connector;
    /** The frames that the terminal has sent on the present line. */
    final List<String> sent = new ArrayList<>();
    /** The indexes of the URLs that were dialed. */
    final List<Integer> dialed = new ArrayList<>();
    final List<Token> tokens = new ArrayList<>();
    /** The names of the commands that the program was given. */
    final List<String> run = new ArrayList<>();
    final List<String> told = new ArrayList<>();
    private final Deque<Outgoing> waiting = new ArrayDeque<>();
    private boolean isBusy;
    int questions;
    boolean isAborted;
    boolean isClosed;
    Duration retryIn;
    Command last;
    long now = Long.MAX_VALUE - 1000;

    Scene(Settings settings) throws IOException {
        this(settings, null);
    }

    Scene(Settings settings, Path memory) throws IOException {
        this.settings = settings;
        seen = new SeenCommands(100, memory);
        Random random = new Random(7);
        TerminalState state = new TerminalState(settings, new Reports(this), seen, random, this::send);
        connector = new Connector(state, this, new Backoff(settings.policy(), random));
    }

    static Scene online() throws IOException {
        Scene scene = new Scene(Settings.of("t1").url("ws://one/ws").url("ws://two/ws"));
        scene.connector.attempt(scene.now);
        scene.welcome(false, "c0");
        return scene;
    }

    void welcome(boolean resumed, String cursor) {
        connector.onOpen(dialed.size(), "muster.v1", now);
        text("{'type':'welcome','session':'s','node':'n','time':'" + NODE_TIME + "','ping_ms':1000,'resumed':" + resumed
                + (cursor == null ? "" : ",'cursor':'" + cursor + "'") + "}");
    }

    /** The node sends this, with ' for ". */
    void text(String frame) {
        during(() -> connector.onText(dialed.size(), frame.replace('\'', '"'), now));
    }

    void command(int number, String name, String more) {
        text("{'type':'command','id':'" + id(number) + "','name':'" + name + "','expires_at':'2030-01-01T00:01:00Z'" + more + "}");
    }

    void close(int code, String reason) {
        connector.onClose(dialed.size(), code, reason.replace('\'', '"'), now);
    }

    /** Lets so much time pass, and wakes the connector whenever it asks for it. */
    void pass(Duration time) {
        long end = now + time.toNanos();
        for (long wait = connector.untilWake(now); wait <= end - now; wait = connector.untilWake(now)) {
            now += Math.max(1, wait);
            during(() -> connector.wake(now));
        }
        now = end;
        during(() -> connector.wake(now));
    }

    static UUID id(int number) {
        return new UUID(0x7000, number);
    }

    /** The frames of this type that were sent, each as the command's number. */
    List<Long> sent(String type) {
        return sent.stream().map(text -> JsonParser.parseString(text).getAsJsonObject())
                .filter(frame -> frame.get("type").getAsString().equals(type))
                .map(frame -> UUID.fromString(frame.get("id").getAsString()).getLeastSignificantBits()).toList();
    }

    JsonObject firstSent() {
        return JsonParser.parseString(sent.get(0)).getAsJsonObject();
    }

    JsonObject lastSent() {
        return JsonParser.parseString(sent.get(sent.size() - 1)).getAsJsonObject();
    }

    /** What the program sends waits until the call to the program is over, as it does on the terminal's thread. */
    private void send(Outgoing outgoing) {
        waiting.add(outgoing);
        if (!isBusy) {
            during(() -> { });
        }
    }

    private void during(Runnable happening) {
        isBusy = true;
        happening.run();
        isBusy = false;
        for (Outgoing next = waiting.poll(); next != null; next = waiting.poll()) {
            connector.send(next, () -> { }, now);
        }
    }

    @Override
    public Line dial(int attempt, int url, Token token) {
        dialed.add(url);
        tokens.add(token);
        sent.clear();
        isAborted = false;
        return new Line() {
            @Override
            public void sendText(String text) {
                sent.add(text);
            }

            @Override
            public void close() {
                isClosed = true;
            }

            @Override
            public void abort() {
                isAborted = true;
            }
        };
    }

    @Override
    public void ask(int question, TokenSource source) {
        questions = question;
    }

    void answer(Token token) {
        connector.onToken(questions, token, token == null ? "no network" : null, now);
    }

    @Override
    public void onCommand(Command command) {
        run.add(command.name());
        last = command;
        switch (command.name()) {
            case "echo" -> command.succeed(command.payload());
            case "throw" -> throw new IllegalStateException("secret");
            default -> { }
        }
    }

    @Override
    public void onOffline(ConnectionEnd end, Duration wait) {
        told.add(end.kind() + " " + end.number());
        retryIn = wait;
    }

    @Override
    public void onGone(ConnectionEnd end) {
        told.add("GONE " + end.number());
    }

    @Override
    public void onGap(Gap gap) {
        told.add("GAP " + gap.to());
    }

    @Override
    public void onNotSent(SendException why) {
        told.add("NOT_SENT " + why.limit());
    }

    @Override
    public void onTokenUnavailable(String why) {
        told.add("NO_TOKEN");
    }
}
