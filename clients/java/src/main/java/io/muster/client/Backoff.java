package io.muster.client;

import java.time.Duration;
import java.util.Optional;
import java.util.random.RandomGenerator;

/** Draws the delays of one terminal. It has no clock: its caller waits. */
final class Backoff {
    /** More doublings than any range has room for. */
    private static final int DOUBLINGS = 16;

    private final Policy policy;
    private final RandomGenerator random;
    private int failures;

    Backoff(Policy policy, RandomGenerator random) {
        this.policy = policy;
        this.random = random;
    }

    /**
     * The delay after a session that lasted for {@code lasted}, zero if none was opened, and ended with {@code end}. Empty
     * means to stay away.
     */
    Optional<Duration> after(ConnectionEnd end, Duration lasted) {
        if (lasted.compareTo(policy.stable()) >= 0) {
            failures = 0;
        }
        return switch (end.advice()) {
            case STAY_AWAY -> Optional.empty();
            case FOLLOW_HINT -> Optional.of(spread(least(end.hint(), policy.hintCap())));
            case BACKOFF -> Optional.of(jitter());
        };
    }

    /** The delay before an attempt with a token that was refused or has expired. */
    Duration slowly() {
        Duration half = policy.slow().dividedBy(2);
        return half.plus(upTo(half));
    }

    /**
     * The delay before the token source is asked again, after so many different tokens were refused in a row. It doubles
     * with each: a source whose tokens are all refused makes no storm of attempts.
     */
    Duration beforeAsking(int refused) {
        Duration half = least(doubled(policy.cap(), refused - 1), policy.slow()).dividedBy(2);
        return half.plus(upTo(half));
    }

    /** Adds up to a tenth to a hint: a node may have given the same one to many terminals. */
    private Duration spread(Duration hint) {
        return hint.plus(upTo(hint.dividedBy(10)));
    }

    private Duration jitter() {
        Duration range = least(doubled(policy.first(), failures), policy.cap());
        failures = Math.min(failures + 1, DOUBLINGS);
        return upTo(range);
    }

    private static Duration doubled(Duration range, int times) {
        return range.multipliedBy(1L << Math.max(0, Math.min(times, DOUBLINGS)));
    }

    private Duration upTo(Duration range) {
        return Duration.ofNanos((long) (range.toNanos() * random.nextDouble()));
    }

    private static Duration least(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? one : other;
    }
}
