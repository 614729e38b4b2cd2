package io.muster.client;

import java.time.Duration;
import java.util.Set;

/**
 * How a connection, or an attempt to connect, ended. It decides what the terminal does next.
 *
 * @param kind which of the ends below
 * @param number the close code or the HTTP status; 1006 or 0 where there was none
 * @param text the close reason, or what went wrong, for people
 * @param hint how long the node asks the terminal to wait; null if it does not ask
 */
public record ConnectionEnd(Kind kind, int number, String text, Duration hint) {
    /** The ways in which a connection can end. */
    public enum Kind {
        /** The node closed the session: {@code number} is the close code, 1005 if the close had none. */
        CLOSED,
        /** A node or a proxy refused the handshake: {@code number} is the HTTP status. */
        REFUSED,
        /** The connection could not be made, broke, or carried something that is not the protocol. */
        LOST,
        /** The attempt took longer than {@link Policy#deadline}. */
        NO_WELCOME,
        /** Nothing came from the node for three of its ping intervals. */
        SILENT,
        /** There is no token to connect with. No attempt was made. */
        NO_TOKEN,
        /** The program closed the terminal. */
        LEFT
    }

    private static final int TOKEN_EXPIRED = 4004;
    /** The same request would get the same answer: the URL or the id is wrong. */
    private static final Set<Integer> FINAL_STATUSES = Set.of(400, 403, 404);

    /** The end that a close frame makes. Its own hint wins over that of the goodbye before it. */
    static ConnectionEnd closed(int code, String reason, Duration goodbye) {
        Duration own = Advice.hintIn(reason);
        return new ConnectionEnd(Kind.CLOSED, code, reason, own == null ? goodbye : own);
    }

    static ConnectionEnd refused(int status, Duration hint) {
        return new ConnectionEnd(Kind.REFUSED, status, "", hint);
    }

    static ConnectionEnd of(Kind kind, String text) {
        return new ConnectionEnd(kind, kind == Kind.LOST || kind == Kind.SILENT ? 1006 : 0, text, null);
    }

    /** What the terminal does next. */
    Advice advice() {
        boolean isFinal = switch (kind) {
            case LEFT -> true;
            case REFUSED -> FINAL_STATUSES.contains(number);
            case CLOSED -> Advice.of(number) == Advice.STAY_AWAY;
            default -> false;
        };
        if (isFinal) {
            return Advice.STAY_AWAY;
        }
        return hint == null ? Advice.BACKOFF : Advice.FOLLOW_HINT;
    }

    /** Whether the token was refused or has expired: the terminal comes back with another one, or else slowly. */
    boolean needsToken() {
        return kind == Kind.REFUSED && number == 401 || kind == Kind.CLOSED && number == TOKEN_EXPIRED;
    }

    @Override
    public String toString() {
        return switch (kind) {
            case CLOSED -> "closed by the node with " + number + " " + text;
            case REFUSED -> "refused with HTTP status " + number;
            case LOST -> "lost: " + text;
            case NO_WELCOME -> "no welcome before the deadline";
            case SILENT -> "nothing came from the node for three of its ping intervals";
            case NO_TOKEN -> "no token: " + text;
            case LEFT -> "left";
        };
    }
}
