package io.muster.client;

import io.muster.client.ConnectionEnd.Kind;
import io.muster.client.transport.Line;
import java.time.Duration;
import java.util.Optional;

/**
 * One terminal: it connects, serves the session, waits, and connects again, until it leaves or is told to stay away. It has
 * no clock, starts no thread and does no input or output of its own: whoever drives it says what happened and when, and does
 * what it asks of {@link World}. One thread at a time calls it.
 */
final class Connector {
    /** How long a terminal that leaves waits for the node to answer its close. */
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

    /** What the connector needs done. The answers come as calls of the connector. */
    interface World {
        /** Begins to connect to the settings' URL of this index. {@code token} is null if there is none. */
        Line dial(int attempt, int url, Token token);

        /** Has the source asked for a token, on another thread. */
        void ask(int question, TokenSource source);
    }

    private enum Phase {
        ASKING_BEFORE_ATTEMPT, CONNECTED, ASKING_AFTER_END, WAITING, LEAVING, GONE
    }

    private final TerminalState state;
    private final World world;
    private final Backoff backoff;
    private final Refusals refusals = new Refusals();
    private Phase phase;
    private int attempt;
    private int question;
    private int url;
    private Line line;
    private Session session;
    /** The end of the last connection, and the delay that it makes, while the token source is asked. */
    private ConnectionEnd end;
    private Duration delay;
    private Timer wakeAt = Timer.NEVER;
    private Timer askAt = Timer.NEVER;

    Connector(TerminalState state, World world, Backoff backoff) {
        this.state = state;
        this.world = world;
        this.backoff = backoff;
    }

    /** Makes an attempt to connect: the first, or the next. */
    void attempt(long now) {
        if (state.tokens.mustAsk(state.clock.time(now))) {
            phase = Phase.ASKING_BEFORE_ATTEMPT;
            ask(now);
        } else {
            dial(now);
        }
    }

    boolean isGone() {
        return phase == Phase.GONE;
    }

    /** The server has accepted the handshake of this attempt, with this subprotocol. */
    void onOpen(int of, String protocol, long now) {
        if (isCurrent(of)) {
            go(session.onOpen(protocol), now);
        }
    }

    /** A text message came. */
    void onText(int of, String text, long now) {
        if (!isCurrent(of)) {
            return;
        }
        ConnectionEnd problem = session.onText(text, now);
        if (session.isOnline()) {
            refusals.clear();
        }
        go(problem, now);
    }

    /** A ping, a pong or a message of another kind came. */
    void onSign(int of, long now) {
        if (isCurrent(of)) {
            session.onSign(now);
        }
    }

    /** The server has closed the connection. */
    void onClose(int of, int code, String reason, long now) {
        if (isCurrent(of)) {
            go(session.onClose(code, reason), now);
        } else if (phase == Phase.LEAVING) {
            gone(end);
        }
    }

    /** The attempt failed, or the connection was lost. */
    void onEnd(int of, ConnectionEnd how, long now) {
        if (isCurrent(of)) {
            go(how, now);
        } else if (phase == Phase.LEAVING) {
            gone(end);
        }
    }

    /** The source has answered this question: by a token, or else by what went wrong. */
    void onToken(int of, Token token, String problem, long now) {
        if (of != question || !state.tokens.isAsking() || isGone()) {
            return;
        }
        state.tokens.answered();
        switch (phase) {
            case ASKING_BEFORE_ATTEMPT -> {
                if (token == null && state.tokens.current() == null) {
                    ended(ConnectionEnd.of(Kind.NO_TOKEN, problem), now);
                } else {
                    isReplaced(token, problem);
                    dial(now);
                }
            }
            case CONNECTED -> go(session.onToken(token, problem, now), now);
            case ASKING_AFTER_END -> {
                boolean isNew = isReplaced(token, problem);
                // A token that came too late to extend the session may still be valid.
                boolean isBad = end.kind() == Kind.REFUSED || state.tokens.isExpired(state.clock.time(now));
                waitFor(!isNew && isBad, now);
            }
            case WAITING -> {
                if (isReplaced(token, problem)) {
                    attempt(now);
                } else {
                    askAt = Timer.at(now, backoff.beforeAsking(refusals.count()));
                }
            }
            default -> { }
        }
    }

    /** The program sends a message; {@code taken} is called when it no longer waits. */
    void send(Outgoing outgoing, Runnable taken, long now) {
        state.accept(outgoing, taken);
        if (phase == Phase.CONNECTED && session.isOnline()) {
            go(session.flush(), now);
        }
    }

    /** The program closes the terminal: what it sent goes out first. */
    void leave(long now) {
        if (isGone() || phase == Phase.LEAVING) {
            return;
        }
        end = ConnectionEnd.of(Kind.LEFT, "");
        if (phase == Phase.CONNECTED && session.isOnline() && session.flush() == null) {
            phase = Phase.LEAVING;
            wakeAt = Timer.at(now, CLOSE_TIMEOUT);
            line.close();
        } else {
            gone(end);
        }
    }

    /** Does what is due. */
    void wake(long now) {
        if (state.tokens.deadline().isDue(now)) {
            onToken(question, null, "the token source gave no answer within " + state.settings.policy().deadline(), now);
        }
        switch (phase) {
            case CONNECTED -> {
                go(session.wake(now), now);
                if (phase == Phase.CONNECTED && state.tokens.askAt().isDue(now)) {
                    ask(now);
                }
            }
            case WAITING -> {
                // There is no session to acknowledge these on: the node sends them again, and then they are acknowledged.
                state.handOverDue(now);
                if (wakeAt.isDue(now)) {
                    attempt(now);
                } else if (askAt.isDue(now)) {
                    askAt = Timer.NEVER;
                    ask(now);
                }
            }
            case LEAVING -> {
                if (wakeAt.isDue(now)) {
                    gone(end);
                }
            }
            default -> { }
        }
    }

    /** How long until {@link #wake} is to be called, in nanoseconds. */
    long untilWake(long now) {
        long due = switch (phase) {
            case CONNECTED -> Math.min(session.untilWake(now), state.tokens.askAt().left(now));
            case WAITING -> Math.min(state.stagger.untilNext(now), Math.min(wakeAt.left(now), askAt.left(now)));
            case LEAVING -> wakeAt.left(now);
            default -> Long.MAX_VALUE;
        };
        return Math.min(due, state.tokens.deadline().left(now));
    }

    private boolean isCurrent(int of) {
        return of == attempt && phase == Phase.CONNECTED;
    }

    private void ask(long now) {
        if (!state.tokens.isAsking()) {
            state.tokens.asking(now);
            question++;
            world.ask(question, state.tokens.source());
        }
    }

    /** Takes the answer of the source. Returns whether it is another token. */
    private boolean isReplaced(Token token, String problem) {
        if (token == null) {
            state.reports.make(program -> program.onTokenUnavailable(problem));
            return false;
        }
        return state.tokens.use(token);
    }

    private void dial(long now) {
        phase = Phase.CONNECTED;
        attempt++;
        line = world.dial(attempt, url, state.tokens.current());
        session = new Session(state, line, now);
    }

    /** Goes on, or ends the connection if there is an end. */
    private void go(ConnectionEnd how, long now) {
        if (how != null) {
            line.abort();
            ended(how, now);
        }
    }

    private void ended(ConnectionEnd how, long now) {
        Duration lasted = session == null ? Duration.ZERO : session.lasted(now);
        session = null;
        state.tokens.endSession();
        // What was asked for this session is of no use to the next.
        question++;
        // A node that sent a close is healthy, and its hint says when to return to it.
        if (how.kind() != Kind.CLOSED) {
            url = (url + 1) % state.settings.urls().size();
        }
        Optional<Duration> next = backoff.after(how, lasted);
        if (next.isEmpty()) {
            gone(how);
            return;
        }
        end = how;
        delay = next.get();
        if (!how.needsToken()) {
            waitFor(false, now);
            return;
        }
        refusals.add(state.tokens.current());
        if (refusals.count() > 1 || !state.tokens.canChange()) {
            waitFor(true, now);
        } else {
            phase = Phase.ASKING_AFTER_END;
            ask(now);
        }
    }

    /** Waits for the next attempt; without a good token slowly, and meanwhile the source is asked from time to time. */
    private void waitFor(boolean lacksToken, long now) {
        phase = Phase.WAITING;
        Duration wait = lacksToken ? backoff.slowly() : delay;
        wakeAt = Timer.at(now, wait);
        boolean asks = lacksToken && state.tokens.canChange();
        askAt = asks ? Timer.at(now, backoff.beforeAsking(refusals.count())) : Timer.NEVER;
        ConnectionEnd how = end;
        state.reports.make(program -> program.onOffline(how, wait));
    }

    private void gone(ConnectionEnd how) {
        phase = Phase.GONE;
        if (line != null) {
            line.abort();
        }
        state.reports.make(program -> program.onGone(how));
    }
}
