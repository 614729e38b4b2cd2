package io.muster.client;

/** Why a message was not sent. The text names the limit and says what to do. */
public final class SendException extends RuntimeException {
    /** The size of the message in bytes; 0 if its size is not the reason. */
    private final int bytes;
    /** The limit in bytes, or in messages. */
    private final int limit;

    private SendException(String text, int bytes, int limit) {
        super(text);
        this.bytes = bytes;
        this.limit = limit;
    }

    static SendException tooLarge(int bytes, int limit) {
        return new SendException(
                "the message has " + bytes + " bytes and the node takes at most " + limit
                        + " (its --max-message): send less, or raise that limit", bytes, limit);
    }

    static SendException eventTooLarge(int bytes, int limit) {
        return new SendException(
                "the event has " + bytes + " bytes of name and payload, and a node stores at most " + limit
                        + ": send less, or several events", bytes, limit);
    }

    static SendException queueFull(int limit) {
        return new SendException(limit + " messages wait for the connection: send this one later", 0, limit);
    }

    static SendException gone() {
        return new SendException("the terminal is gone: it has been closed, or was told to stay away", 0, 0);
    }

    /** Whether the message is over a limit, and so will never be sent. */
    public boolean isTooLarge() {
        return bytes > 0;
    }

    /** The size of the message in bytes; 0 if its size is not the reason. */
    public int bytes() {
        return bytes;
    }

    /** The limit: bytes if {@link #isTooLarge}, messages if too many wait, or else 0. */
    public int limit() {
        return limit;
    }
}
