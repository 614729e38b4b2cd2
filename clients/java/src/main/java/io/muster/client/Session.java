package io.muster.client;

import io.muster.client.transport.Line;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;

/**
 * One connection, from the attempt to its end. It has no clock and starts no thread: each call says what happened and when,
 * and returns the end of the connection, or null while it lasts.
 */
final class Session {
    /** The subprotocol that is asked for. */
    static final String PROTOCOL = "muster.v1";
    /** The connection is taken for lost after this many ping intervals without anything from the node. */
    private static final int MISSED_PINGS = 3;
    private static final Set<String> ABOUT_TOKENS = Set.of("token_refused", "token_too_soon");

    private final TerminalState state;
    private final Line line;
    private final Timer deadline;
    private boolean isOnline;
    private long onlineSince;
    private Duration ping = Duration.ZERO;
    private Timer silent = Timer.NEVER;
    private Timer probe = Timer.NEVER;
    private Duration hint;

    Session(TerminalState state, Line line, long now) {
        this.state = state;
        this.line = line;
        deadline = Timer.at(now, state.settings.policy().deadline());
    }

    boolean isOnline() {
        return isOnline;
    }

    /** How long the session has lasted; zero if there was no welcome. */
    Duration lasted(long now) {
        return isOnline ? Duration.ofNanos(now - onlineSince) : Duration.ZERO;
    }

    ConnectionEnd onOpen(String protocol) {
        if (!PROTOCOL.equals(protocol)) {
            return ConnectionEnd.of(ConnectionEnd.Kind.LOST, "the server does not speak " + PROTOCOL + ": check the URL");
        }
        return write(state.settings.hello(state.seen.cursor()));
    }

    /** Something came from the node. */
    void onSign(long now) {
        if (!ping.isZero()) {
            silent = Timer.at(now, ping.multipliedBy(MISSED_PINGS));
            probe = Timer.at(now, ping);
        }
    }

    ConnectionEnd onText(String text, long now) {
        onSign(now);
        NodeFrame frame = NodeFrame.decode(text);
        if (isOnline) {
            return frame == null ? null : onFrame(frame, now);
        }
        if (frame instanceof NodeFrame.Greeting greeting) {
            return onWelcome(greeting.welcome(), now);
        }
        if (frame instanceof NodeFrame.Goodbye goodbye) {
            hint = goodbye.retry();
        }
        // Anything else is of a kind that this client does not know.
        return null;
    }

    ConnectionEnd onClose(int code, String reason) {
        return ConnectionEnd.closed(code, reason, hint);
    }

    /** The answer of the token source. */
    ConnectionEnd onToken(Token token, String problem, long now) {
        if (token == null) {
            state.tokens.askLater(now);
            state.reports.make(program -> program.onTokenUnavailable(problem));
            return null;
        }
        return state.tokens.extend(token, state.clock.time(now), now) ? write(Outgoing.token(token)) : null;
    }

    /** Does what is due. */
    ConnectionEnd wake(long now) {
        if (!isOnline) {
            return deadline.isDue(now) ? ConnectionEnd.of(ConnectionEnd.Kind.NO_WELCOME, "") : null;
        }
        if (silent.isDue(now)) {
            return ConnectionEnd.of(ConnectionEnd.Kind.SILENT, "");
        }
        if (probe.isDue(now)) {
            probe = Timer.at(now, ping);
            line.probe();
        }
        ConnectionEnd end = null;
        for (UUID id : state.handOverDue(now)) {
            end = end == null ? write(Outgoing.ack(id)) : end;
        }
        return end == null ? flush() : end;
    }

    /** How long until something is due, in nanoseconds. */
    long untilWake(long now) {
        if (!isOnline) {
            return deadline.left(now);
        }
        return Math.min(state.stagger.untilNext(now), Math.min(silent.left(now), probe.left(now)));
    }

    /** Sends what waits: the results of the terminal first, then what the program has sent. */
    ConnectionEnd flush() {
        ConnectionEnd end = null;
        while (end == null) {
            Outgoing next = state.next();
            if (next == null) {
                return null;
            }
            end = send(next);
        }
        return end;
    }

    /** Sends a message, or what replaces it if it is over the node's limit. */
    private ConnectionEnd send(Outgoing outgoing) {
        int limit = state.limit.get();
        Outgoing sent = outgoing;
        if (outgoing.bytes() > limit) {
            SendException why = SendException.tooLarge(outgoing.bytes(), limit);
            state.reports.make(program -> program.onNotSent(why));
            sent = outgoing.replacement(limit);
        }
        if (sent == null) {
            return null;
        }
        if (sent.resultOf() != null) {
            state.outbox.record(sent);
            state.seen.setResult(sent);
        }
        return write(sent);
    }

    private ConnectionEnd write(Outgoing outgoing) {
        try {
            line.sendText(outgoing.text());
            return null;
        } catch (IOException error) {
            return ConnectionEnd.of(ConnectionEnd.Kind.LOST, String.valueOf(error.getMessage()));
        }
    }

    private ConnectionEnd onWelcome(Welcome welcome, long now) {
        isOnline = true;
        onlineSince = now;
        ping = welcome.ping();
        onSign(now);
        state.onWelcome(welcome, now);
        state.reports.make(program -> program.onOnline(welcome));
        return flush();
    }

    private ConnectionEnd onFrame(NodeFrame frame, long now) {
        if (frame instanceof NodeFrame.Order order) {
            ConnectionEnd end = state.receive(order, now) ? write(Outgoing.ack(order.id())) : null;
            return end == null ? flush() : end;
        }
        if (frame instanceof NodeFrame.Missing missing) {
            state.moveCursor(missing.gap().to());
            state.reports.make(program -> program.onGap(missing.gap()));
        } else if (frame instanceof NodeFrame.Stored stored) {
            state.reports.make(program -> program.onEventStored(stored.id()));
        } else if (frame instanceof NodeFrame.Goodbye goodbye) {
            hint = goodbye.retry();
        } else if (frame instanceof NodeFrame.Fault fault) {
            if (ABOUT_TOKENS.contains(fault.code())) {
                state.tokens.askLater(now);
            }
            state.reports.make(program -> program.onError(fault.code(), fault.message()));
        }
        return null;
    }
}
