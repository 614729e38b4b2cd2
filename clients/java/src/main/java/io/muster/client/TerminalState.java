package io.muster.client;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * What a terminal keeps from one session to the next, and how it takes the commands that it receives: it hands each over
 * once and in time, and its cursor never passes a command that has not been handed over.
 */
final class TerminalState {
    final Settings settings;
    final Reports reports;
    final SeenCommands seen;
    final ResultOutbox outbox;
    final TokenRenewal tokens;
    final NodeClock clock = new NodeClock();
    final StaggerQueue stagger = new StaggerQueue();
    /** What the program has sent, and no session has taken yet. */
    private final Deque<Waiting> waiting = new ArrayDeque<>();
    /** The largest message that the node takes, in bytes. The program's threads read it too. */
    final AtomicInteger limit = new AtomicInteger(NodeFrame.DEFAULT_MAX_MESSAGE);

    private final RandomGenerator random;
    private final Consumer<Outgoing> sender;
    /** The newest cursor, while commands before it still wait for their share of a stagger. */
    private String pendingCursor;

    /** A message, and what is called when it no longer waits. */
    private record Waiting(Outgoing outgoing, Runnable taken) {}

    /** {@code sender} takes the answers of the program. */
    TerminalState(Settings settings, Reports reports, SeenCommands seen, RandomGenerator random, Consumer<Outgoing> sender) {
        this.settings = settings;
        this.reports = reports;
        this.seen = seen;
        this.random = random;
        this.sender = sender;
        outbox = new ResultOutbox(seen.results());
        tokens = new TokenRenewal(settings.tokenSource(), settings.policy().deadline(), random);
    }

    /** Begins a session. A node that resumes sends what follows the old cursor, which stays until those commands arrive. */
    void onWelcome(Welcome welcome, long now) {
        clock.set(welcome.time(), now);
        limit.set(welcome.maxMessage());
        tokens.beginSession(welcome.time(), now);
        if (welcome.cursor() != null && !welcome.resumed()) {
            moveCursor(welcome.cursor());
        }
        outbox.resend();
    }

    /** Takes a message of the program, and calls {@code taken} when it no longer waits. A result is on the disk from now on. */
    void accept(Outgoing outgoing, Runnable taken) {
        if (outgoing.resultOf() != null) {
            seen.setResult(outgoing);
        }
        waiting.add(new Waiting(outgoing, taken));
    }

    /** Removes and returns what is to be sent next: results of earlier sessions first. Null if nothing waits. */
    Outgoing next() {
        Outgoing result = outbox.next();
        if (result != null || waiting.isEmpty()) {
            return result;
        }
        Waiting first = waiting.remove();
        first.taken.run();
        return first.outgoing;
    }

    /** Hands a command over, or has it wait for its share of the stagger. Returns whether to acknowledge it now. */
    boolean receive(NodeFrame.Order order, long now) {
        boolean isHandedOver = take(order, now);
        if (order.cursor() != null) {
            moveCursor(order.cursor());
        }
        return isHandedOver;
    }

    private boolean take(NodeFrame.Order order, long now) {
        if (seen.contains(order.id())) {
            outbox.repeat(order.id());
            return true;
        }
        if (order.stagger() == null || clock.isOver(order.expiresAt(), now)) {
            return handOver(order, now);
        }
        Duration share = Duration.ofNanos((long) (order.stagger().toNanos() * random.nextDouble()));
        // Without room the command does without its delay: a cursor that passed it would lose it.
        return stagger.push(order, now + share.toNanos()) ? false : handOver(order, now);
    }

    /** Hands over the staggered commands that are due. Returns those to acknowledge. */
    List<UUID> handOverDue(long now) {
        List<UUID> handedOver = new ArrayList<>();
        for (NodeFrame.Order order = stagger.pop(now); order != null; order = stagger.pop(now)) {
            if (handOver(order, now)) {
                handedOver.add(order.id());
            }
        }
        if (stagger.isEmpty() && pendingCursor != null) {
            seen.setCursor(pendingCursor);
            pendingCursor = null;
        }
        return handedOver;
    }

    /** Moves the cursor once no staggered command waits: after a restart, the node sends again what follows the stored cursor. */
    void moveCursor(String cursor) {
        if (stagger.isEmpty()) {
            seen.setCursor(cursor);
        } else {
            pendingCursor = cursor;
        }
    }

    private boolean handOver(NodeFrame.Order order, long now) {
        seen.insert(order.id());
        if (clock.isOver(order.expiresAt(), now)) {
            Outgoing expired = Outgoing.result(order.id(), false, "expired", Payload.NULL);
            seen.setResult(expired);
            outbox.add(expired);
            return false;
        }
        reports.command(new Command(order, sender));
        return true;
    }
}
