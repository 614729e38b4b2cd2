package io.muster.client;

import java.time.Duration;
import java.time.Instant;
import java.util.random.RandomGenerator;

/** Which token is in use, and when the source is asked for the next one. It asks through its caller, and has no clock. */
final class TokenRenewal {
    /** The least time before the expiry at which the source is asked, if the token lives long enough. */
    private static final Duration MARGIN = Duration.ofSeconds(5);
    /** How long to wait before the source is asked again that had no later token. It doubles each time, up to the cap. */
    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final Duration RETRY_CAP = Duration.ofSeconds(60);

    private final TokenSource source;
    private final Duration deadline;
    private final RandomGenerator random;
    private Token current;
    /** The token before the current one, until the session ends: the node may still refuse the current one. */
    private Token previous;
    private Timer asked = Timer.NEVER;
    private Timer askAt = Timer.NEVER;
    private int retries;

    /** {@code source} is null for nodes that need no token. */
    TokenRenewal(TokenSource source, Duration deadline, RandomGenerator random) {
        this.source = source;
        this.deadline = deadline;
        this.random = random;
    }

    TokenSource source() {
        return source;
    }

    /** The token to connect with; null if there is none yet. */
    Token current() {
        return current;
    }

    /** Whether there is a source that may give another token. */
    boolean canChange() {
        return source != null;
    }

    /** Whether the source is to be asked before an attempt. */
    boolean mustAsk(Instant nodeTime) {
        return canChange() && (source.isCheap() || current == null || isExpired(nodeTime));
    }

    /** Whether the current token has expired. False if it does not say when it expires. */
    boolean isExpired(Instant nodeTime) {
        return current != null && current.expires() != null && current.expires() < nodeTime.getEpochSecond();
    }

    /** The source is being asked since {@code now}. */
    void asking(long now) {
        asked = Timer.at(now, deadline);
        askAt = Timer.NEVER;
    }

    boolean isAsking() {
        return asked != Timer.NEVER;
    }

    /** When the source will have taken too long. */
    Timer deadline() {
        return asked;
    }

    /** The source has answered, or has taken too long. */
    void answered() {
        asked = Timer.NEVER;
    }

    /** Takes a token to connect with. Returns whether it is another than the current one. */
    boolean use(Token token) {
        boolean isNew = !token.equals(current);
        previous = null;
        current = token;
        return isNew;
    }

    /** When to ask during this session. */
    Timer askAt() {
        return askAt;
    }

    /** Begins a session. */
    void beginSession(Instant nodeTime, long now) {
        previous = null;
        schedule(nodeTime, now);
    }

    /** Ends a session: nobody can extend it any more, and an answer that is on its way counts no more. */
    void endSession() {
        asked = Timer.NEVER;
        askAt = Timer.NEVER;
    }

    /** Takes a token that is to extend the session. Returns whether it expires later than the current one, and so is to be sent. */
    boolean extend(Token token, Instant nodeTime, long now) {
        boolean isLater = token.expires() != null
                && (current == null || current.expires() == null || token.expires() > current.expires());
        if (!isLater) {
            askLater(now);
            return false;
        }
        previous = current;
        current = token;
        schedule(nodeTime, now);
        return true;
    }

    /** The node refused the token that was sent last, or the source had none: the one before counts, and the source is asked again. */
    void askLater(long now) {
        if (previous != null) {
            current = previous;
            previous = null;
        }
        if (canChange()) {
            long wait = Math.min(RETRY.toNanos() << Math.min(retries++, 16), RETRY_CAP.toNanos());
            askAt = Timer.at(now, Duration.ofNanos((long) (wait * (0.5 + random.nextDouble() / 2))));
        }
    }

    private void schedule(Instant nodeTime, long now) {
        retries = 0;
        Long expires = current == null || !canChange() ? null : current.expires();
        // A long counts nanoseconds for 292 years.
        long left = expires == null ? 0 : Math.min(Math.max(0, expires - nodeTime.getEpochSecond()), 1L << 32);
        askAt = expires == null ? Timer.NEVER : Timer.at(now, askAfter(Duration.ofSeconds(left), random.nextDouble()));
    }

    /**
     * How long to wait before the source is asked, if the token is valid for the time {@code left}; {@code random} is from
     * 0 to 1. It is between two margins before the expiry and one: a margin is a tenth of the time, but not less than 5 s,
     * and not more than a quarter of the time.
     */
    static Duration askAfter(Duration left, double random) {
        long quarter = left.dividedBy(4).toNanos();
        long margin = Math.min(Math.max(left.dividedBy(10).toNanos(), MARGIN.toNanos()), quarter);
        return left.minusNanos(2 * margin).plusNanos((long) (margin * random));
    }
}
