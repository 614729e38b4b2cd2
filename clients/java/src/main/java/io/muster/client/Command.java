package io.muster.client;

import java.util.UUID;
import java.util.function.Consumer;

/** A command to run, and the way to answer it. The answers may be given on any thread, and in a later session. */
public final class Command {
    private final NodeFrame.Order order;
    private final Consumer<Outgoing> sender;
    private volatile boolean isAnswered;

    Command(NodeFrame.Order order, Consumer<Outgoing> sender) {
        this.order = order;
        this.sender = sender;
    }

    /** The command's id. */
    public UUID id() {
        return order.id();
    }

    /** What to do. */
    public String name() {
        return order.name();
    }

    /** The arguments. */
    public Payload payload() {
        return order.payload();
    }

    /** Reports that the command is being run. A later payload replaces this one. */
    public void progress(Payload payload) {
        sender.accept(Outgoing.progress(id(), payload));
    }

    /**
     * Reports that the command succeeded. The result is on the disk before it is sent, if the terminal has a memory file. Fails
     * with a {@link SendException} if the reply is over the node's limit: then the node is told that the command failed.
     */
    public void succeed(Payload reply) {
        answer(true, null, reply);
    }

    /** Reports that the command failed. Fails as {@link #succeed} does. */
    public void fail(Payload reply) {
        answer(false, null, reply);
    }

    /** Reports that the program does not know the command, or refuses it. */
    public void reject() {
        answer(false, "rejected", Payload.NULL);
    }

    boolean isAnswered() {
        return isAnswered;
    }

    private void answer(boolean ok, String reason, Payload reply) {
        isAnswered = true;
        sender.accept(Outgoing.result(id(), ok, reason, reply));
    }
}
