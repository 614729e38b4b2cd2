package io.muster.client;

import java.time.Duration;

/** A moment of the clock {@link System#nanoTime}, or never. */
final class Timer {
    static final Timer NEVER = new Timer(0);

    private final long at;

    private Timer(long at) {
        this.at = at;
    }

    /** The moment that is {@code wait} after {@code now}. */
    static Timer at(long now, Duration wait) {
        return new Timer(now + wait.toNanos());
    }

    boolean isDue(long now) {
        return this != NEVER && at - now <= 0;
    }

    /** How long until then, in nanoseconds: 0 if it is over, and the longest time if it is never. */
    long left(long now) {
        return this == NEVER ? Long.MAX_VALUE : Math.max(0, at - now);
    }
}
