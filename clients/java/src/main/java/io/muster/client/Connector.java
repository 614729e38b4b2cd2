package io.muster.client;

import io.muster.client.ConnectionEnd.Kind;
import io.muster.client.transport.Line;
import java.time.Duration;

/**
 * One terminal: it connects, serves the session, waits, and connects again, until it leaves or is told to stay away. It has
 * no clock, starts no thread and does no input or output of its own: whoever drives it says what happened and when, and does
 * what it asks of the {@link World}. One thread at a time calls it.
 */
final class Connector {
    /** How long a terminal that leaves waits for the node to answer its close. */
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

    private enum Phase {
        ASKING_BEFORE_ATTEMPT, CONNECTED, ASKING_AFTER_END, WAITING, LEAVING, GONE
    }

    private final TerminalState state;
    private final World world;
    private final WayBack wayBack;
    private Phase phase;
    private int attempt;
    private int question;
    private int url;
    private Line line;
    private Session session;
    private Timer closedAt = Timer.NEVER;

    Connector(TerminalState state, World world, Backoff backoff) {
        this.state = state;
        this.world = world;
        wayBack = new WayBack(state.tokens, backoff);
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
            wayBack.onOnline();
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
            left();
        }
    }

    /** The attempt failed, or the connection was lost. */
    void onEnd(int of, ConnectionEnd how, long now) {
        if (isCurrent(of)) {
            go(how, now);
        } else if (phase == Phase.LEAVING) {
            left();
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
            case ASKING_AFTER_END -> waitForAttempt(isReplaced(token, problem), now);
            case WAITING -> {
                if (isReplaced(token, problem)) {
                    attempt(now);
                } else {
                    wayBack.askLater(now);
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
        if (phase == Phase.CONNECTED && session.isOnline() && session.flush() == null) {
            phase = Phase.LEAVING;
            closedAt = Timer.at(now, CLOSE_TIMEOUT);
            line.close();
        } else {
            left();
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
                if (wayBack.isOver(now)) {
                    attempt(now);
                } else if (wayBack.isTimeToAsk(now)) {
                    ask(now);
                }
            }
            case LEAVING -> {
                if (closedAt.isDue(now)) {
                    left();
                }
            }
            default -> { }
        }
    }

    /** How long until {@link #wake} is to be called, in nanoseconds. */
    long untilWake(long now) {
        long due = switch (phase) {
            case CONNECTED -> Math.min(session.untilWake(now), state.tokens.askAt().left(now));
            case WAITING -> Math.min(state.stagger.untilNext(now), wayBack.left(now));
            case LEAVING -> closedAt.left(now);
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
        if (!wayBack.after(how, lasted)) {
            gone(how);
        } else if (wayBack.mustAsk()) {
            phase = Phase.ASKING_AFTER_END;
            ask(now);
        } else {
            waitForAttempt(false, now);
        }
    }

    private void waitForAttempt(boolean hasNewToken, long now) {
        phase = Phase.WAITING;
        Duration wait = wayBack.begin(hasNewToken, state.clock.time(now), now);
        state.reports.make(program -> program.onOffline(wayBack.end(), wait));
    }

    private void left() {
        gone(ConnectionEnd.of(Kind.LEFT, ""));
    }

    private void gone(ConnectionEnd how) {
        phase = Phase.GONE;
        if (line != null) {
            line.abort();
        }
        state.reports.make(program -> program.onGone(how));
    }
}
