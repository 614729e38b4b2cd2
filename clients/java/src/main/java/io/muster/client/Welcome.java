package io.muster.client;

import java.time.Duration;
import java.time.Instant;

/**
 * A node's answer to the hello: the session has begun.
 *
 * @param session the id of this session
 * @param node the node that holds it
 * @param time the node's time
 * @param ping how often the node pings; zero if it did not say
 * @param maxMessage the largest message that the node takes, in bytes
 * @param resumed whether everything follows that came after the last cursor
 * @param cursor the terminal's cursor now; null while the store is not available
 */
public record Welcome(
        String session, String node, Instant time, Duration ping, int maxMessage, boolean resumed, String cursor) {}
