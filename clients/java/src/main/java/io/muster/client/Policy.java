package io.muster.client;

import java.time.Duration;

/**
 * How long a terminal waits before it reconnects. {@link #DEFAULT} has the times that the protocol names; a fleet should
 * keep them.
 *
 * @param first the first delay is random between 0 and this; 5 s by default
 * @param cap the range doubles with each failure up to this; 30 s by default
 * @param stable a session must last this long for the range to be the first one again; 60 s by default
 * @param slow the longest time between two attempts with a token that was refused or has expired; 5 min by default
 * @param hintCap a longer hint counts as this; 10 min by default
 * @param deadline how long an attempt may take, and how long the token source may take; 10 s by default
 */
public record Policy(Duration first, Duration cap, Duration stable, Duration slow, Duration hintCap, Duration deadline) {
    /** The times that the protocol names. */
    public static final Policy DEFAULT = new Policy(
            Duration.ofSeconds(5),
            Duration.ofSeconds(30),
            Duration.ofSeconds(60),
            Duration.ofMinutes(5),
            Duration.ofMinutes(10),
            Duration.ofSeconds(10));
}
