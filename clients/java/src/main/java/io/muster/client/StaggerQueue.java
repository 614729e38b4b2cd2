package io.muster.client;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;

/**
 * Commands that wait for their share of a stagger, each once. They outlive a session but not the program: they are
 * acknowledged when they are handed over, so the node sends them again after a restart.
 */
final class StaggerQueue {
    /** How many commands wait at most. */
    private static final int MAX = 4096;

    private record Waiting(NodeFrame.Order order, long due) {}

    private final Map<UUID, Waiting> waiting = new LinkedHashMap<>();

    /** Adds a command that is due at this time. One that waits already keeps its time. Returns false if there is no room. */
    boolean push(NodeFrame.Order order, long due) {
        if (waiting.size() >= MAX && !waiting.containsKey(order.id())) {
            return false;
        }
        waiting.putIfAbsent(order.id(), new Waiting(order, due));
        return true;
    }

    boolean isEmpty() {
        return waiting.isEmpty();
    }

    /** How long until the next command is due; the longest time if none waits. */
    long untilNext(long now) {
        return waiting.values().stream().mapToLong(each -> Math.max(0, each.due - now)).min().orElse(Long.MAX_VALUE);
    }

    /** Removes and returns a command that is due; null if there is none. */
    NodeFrame.Order pop(long now) {
        for (Waiting each : waiting.values()) {
            if (each.due - now <= 0) {
                waiting.remove(each.order.id());
                return each.order;
            }
        }
        return null;
    }
}
