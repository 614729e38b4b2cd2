package io.muster.client;

import java.time.Duration;

/**
 * What a terminal reports to its program: each call in order, one at a time, on the terminal's own thread. Until a call
 * returns, the terminal reads nothing and answers no ping. So a program that falls behind slows its node down, and work that
 * takes longer than some seconds belongs on another thread.
 */
public interface Program {
    /**
     * A command to run, which was not handed over before. It is acknowledged when this returns. The program answers by
     * {@link Command#succeed} and its like, now or later, on any thread. If this throws, the command has failed.
     */
    void onCommand(Command command);

    /** A session is ready. */
    default void onOnline(Welcome welcome) {}

    /** Commands for this terminal were lost and will not arrive. */
    default void onGap(Gap gap) {}

    /** The event with this id is stored. One that is never told of may be lost: send it again in the next session, with the same id. */
    default void onEventStored(String id) {}

    /** The node could not use a frame of this terminal. The session goes on. */
    default void onError(String code, String message) {}

    /** A message that waited for its session is over this node's limit, and was not sent. A result was replaced by a failure. */
    default void onNotSent(SendException why) {}

    /** The token source failed. The terminal goes on with the token that it has, and asks again later. */
    default void onTokenUnavailable(String why) {}

    /** The session ended, or could not be opened. The terminal tries again after {@code retryIn}, or earlier with a new token. */
    default void onOffline(ConnectionEnd end, Duration retryIn) {}

    /** The terminal will not come back. Nothing is reported after this. */
    default void onGone(ConnectionEnd end) {}
}
