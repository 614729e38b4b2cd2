package io.muster.client;

import java.time.Duration;
import java.time.Instant;

/** The node's time. The terminal's own clock may be wrong, so the time since the welcome is measured by one that is never set. */
final class NodeClock {
    private Instant told;
    private long toldAt;

    /** The node said in a welcome, which was read at {@code now}, what time it is. */
    void set(Instant time, long now) {
        told = time;
        toldAt = now;
    }

    /** Whether this time of the node is over. False before a node told its time. */
    boolean isOver(Instant time, long now) {
        return told != null && !time(now).isBefore(time);
    }

    /** The node's time, or this machine's before a node told its own. */
    Instant time(long now) {
        return told == null ? Instant.now() : told.plus(Duration.ofNanos(now - toldAt));
    }
}
