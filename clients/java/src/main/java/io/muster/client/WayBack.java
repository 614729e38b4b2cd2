package io.muster.client;

import io.muster.client.ConnectionEnd.Kind;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** The way back after a connection has ended: how long the terminal waits, and when its token source is asked meanwhile. */
final class WayBack {
    private final TokenRenewal tokens;
    private final Backoff backoff;
    private final Refusals refusals = new Refusals();
    private ConnectionEnd end;
    private Duration delay;
    private Timer attemptAt = Timer.NEVER;
    private Timer askAt = Timer.NEVER;

    WayBack(TokenRenewal tokens, Backoff backoff) {
        this.tokens = tokens;
        this.backoff = backoff;
    }

    /** A session is ready: the token is good. */
    void onOnline() {
        refusals.clear();
    }

    /** A session that lasted for {@code lasted} has ended so, or an attempt. Returns whether there is a way back. */
    boolean after(ConnectionEnd how, Duration lasted) {
        Optional<Duration> next = backoff.after(how, lasted);
        end = how;
        delay = next.orElse(Duration.ZERO);
        if (how.needsToken()) {
            refusals.add(tokens.current());
        }
        return next.isPresent();
    }

    /** Whether the source is to be asked first. After several tokens in a row that were refused, another one does not hurry the terminal. */
    boolean mustAsk() {
        return end.needsToken() && tokens.canChange() && refusals.count() == 1;
    }

    /** Begins to wait, and returns how long. Without a good token that is slowly, and the source is asked from time to time. */
    Duration begin(boolean hasNewToken, Instant nodeTime, long now) {
        boolean lacksToken = end.needsToken() && !(mustAsk() && (hasNewToken || isStillGood(nodeTime)));
        Duration wait = lacksToken ? backoff.slowly() : delay;
        attemptAt = Timer.at(now, wait);
        askAt = Timer.NEVER;
        if (lacksToken && tokens.canChange()) {
            askLater(now);
        }
        return wait;
    }

    /** The source had no other token. */
    void askLater(long now) {
        askAt = Timer.at(now, backoff.beforeAsking(refusals.count()));
    }

    ConnectionEnd end() {
        return end;
    }

    boolean isOver(long now) {
        return attemptAt.isDue(now);
    }

    /** Whether to ask the source now. True once. */
    boolean isTimeToAsk(long now) {
        boolean isDue = askAt.isDue(now);
        if (isDue) {
            askAt = Timer.NEVER;
        }
        return isDue;
    }

    /** How long until something is due, in nanoseconds. */
    long left(long now) {
        return Math.min(attemptAt.left(now), askAt.left(now));
    }

    /** A token that came too late to extend the session may still be valid. */
    private boolean isStillGood(Instant nodeTime) {
        return end.kind() != Kind.REFUSED && !tokens.isExpired(nodeTime);
    }
}
